// The header of every page: tabs, settings, and the strip that asks to sign in.
//
// It runs before the script of the page, whose words are not loaded yet. So it translates only its own parts.

import { learnMe, showRefusal } from './me.js';
import { settingsSheet } from './view/settings.js';
import { addWords, language, translate } from './words.js';

addWords({
  en: {
    pages: 'Pages',
    plan: 'Schedules',
    chat: 'Chat',
    runs: 'Runs',
    more: 'More',
    chat_unread: ({ n }) => `Chat, ${n} unread`,
    name_how: 'Others see this name next to your changes and in the chat. If it is empty, the panel uses the name of the browser.',
  },
  zh: {
    pages: '页面',
    plan: '定时',
    chat: '聊天',
    runs: '任务',
    more: '更多',
    chat_unread: ({ n }) => `聊天，${n} 条未读`,
    name_how: '别人会在你的更改旁和聊天中看到这个名称。留空时使用浏览器的名称。',
  },
});

document.documentElement.lang = language;
translate(document.querySelector('.top'));
translate(document.getElementById('settings'));
translate(document.getElementById('access-strip'));

learnMe();
addEventListener('pilotlight:refused', ({ detail }) => showRefusal(detail)); // an event of connection.js

// Pages with a connection open the settings themselves (page.js): a new name needs a new connection.
const bare = document.querySelector('[data-settings]');
if (bare) settingsSheet(bare, () => {});

// Keep the chosen transport from page to page. The lab has other choices.
const links = document.querySelectorAll('[data-keeps-transport]');

function keepTransport() {
  const transport = new URLSearchParams(location.search).get('transport');
  const kept = ['socketio', 'rest'].includes(transport) ? `?transport=${transport}` : '';
  for (const link of links) link.search = kept;
}

keepTransport();
for (const link of links) link.addEventListener('pointerdown', keepTransport); // somebody may have chosen another one
for (const link of links) link.addEventListener('focus', keepTransport);
