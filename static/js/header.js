// What every page has around its own: the words of the tabs, the settings, and the transport that goes along.
//
// It comes before the page's own script, and touches nothing but the header and the sheet: the page's words may not
// be there yet.

import { learnMe, showRefusal } from './me.js';
import { settingsSheet } from './view/settings.js';
import { addWords, language, translate } from './words.js';

addWords({
  en: {
    pages: 'Pages',
    chat: 'Chat',
    runs: 'Runs',
    more: 'More',
    chat_unread: ({ n }) => `Chat, ${n} unread`,
    name_how: 'Others see it beside what you change, and it is your name in the chat. Without one, the panel names the browser.',
  },
  zh: {
    pages: '页面',
    chat: '聊天',
    runs: '运行',
    more: '更多',
    chat_unread: ({ n }) => `聊天，${n} 条未读`,
    name_how: '别人会在你的更改旁看到它，聊天时它就是你的名字。留空时由面板按浏览器命名。',
  },
});

document.documentElement.lang = language;
translate(document.querySelector('.top'));
translate(document.getElementById('settings'));
translate(document.getElementById('access-strip'));

learnMe();
addEventListener('pilotlight:refused', ({ detail }) => showRefusal(detail)); // by a page's Connection

// A page with a connection opens the sheet from its mark, for it must connect again under another name.
const bare = document.querySelector('[data-settings]');
if (bare) settingsSheet(bare, () => {});

// Who chose a transport keeps it from page to page. The lab's choices are not these.
const links = document.querySelectorAll('[data-keeps-transport]');

function keepTransport() {
  const transport = new URLSearchParams(location.search).get('transport');
  const kept = ['socketio', 'rest'].includes(transport) ? `?transport=${transport}` : '';
  for (const link of links) link.search = kept;
}

keepTransport();
for (const link of links) link.addEventListener('pointerdown', keepTransport); // it may have been chosen meanwhile
for (const link of links) link.addEventListener('focus', keepTransport);
