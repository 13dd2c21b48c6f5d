// The shell of every page: tabs, the sections of Settings, and what asks to sign in.
//
// It runs before the script of the page, whose words are not loaded yet. So it translates only its own parts.

import './ask-to-sign-in.js';
import { learnMe, showRefusal } from './me.js';
import { keepPages } from './offline.js';
import { addWords, language, t, translate } from './words.js';

addWords({
  en: {
    pages: 'Pages',
    skip: 'Skip to the content',
    plan: 'Shows & schedules',
    plan_short: 'Schedules',
    chat: 'Chat',
    runs: 'Runs',
    chat_unread: ({ n }) => `Chat, ${n} unread`,

    section_device: 'This device',
    section_device_how: 'Name, language, transport',
    section_setup: 'Lights',
    section_setup_how: 'Add, tune and remove lights',
    section_access: 'People & access',
    section_access_how: 'Sign-in, names, tokens, who did what',
    section_system: 'System',
    section_system_how: 'Version, pins, storage, export and import',
    sections_developer: 'Developer',
    section_lab: 'Lab',
    section_lab_how: 'Send and see every message of the sockets',
    section_compare: 'Transports',
    section_compare_how: 'Round trips, side by side',
    section_docs: 'API',
    section_docs_how: 'Every route of REST',
    section_sockets: 'Sockets',
    section_sockets_how: 'Every message of WebSocket and Socket.IO',

    closed_title: 'Sign in to use this panel',
    closed_how:
      'You need the PIN, or a QR code: a device that is signed in shows one in Settings, “People & access”. On the machine of the panel, this command shows the PIN:',
    closed_device: 'Name and language of this device',
  },
  zh: {
    pages: '页面',
    skip: '跳到正文',
    plan: '灯光秀与定时',
    plan_short: '定时',
    chat: '聊天',
    runs: '任务',
    chat_unread: ({ n }) => `聊天，${n} 条未读`,

    section_device: '此设备',
    section_device_how: '名称、语言、传输方式',
    section_setup: '灯光',
    section_setup_how: '添加、调整和移除灯',
    section_access: '成员与权限',
    section_access_how: '登录、名字、令牌、操作记录',
    section_system: '系统',
    section_system_how: '版本、引脚、存储、导出和导入',
    sections_developer: '开发者',
    section_lab: '实验室',
    section_lab_how: '发送并查看套接字的每条消息',
    section_compare: '传输对比',
    section_compare_how: '并排比较往返时间',
    section_docs: 'API',
    section_docs_how: 'REST 的所有路由',
    section_sockets: '套接字',
    section_sockets_how: 'WebSocket 和 Socket.IO 的所有消息',

    closed_title: '请先登录',
    closed_how: '你需要 PIN 或二维码：已登录的设备可在“设置”的“成员与权限”中显示二维码。在面板所在的机器上，用这条命令查看 PIN：',
    closed_device: '此设备的名称和语言',
  },
});

document.documentElement.lang = language;
for (const part of document.querySelectorAll('.top, .way-back, #access-strip, #closed')) translate(part);

const section = document.querySelector('.rail-sections [aria-current] .section-name');
const isList = section && !document.querySelector('.way-back');
if (section) document.title = `${isList ? t('settings') : section.textContent} · Pilot Light`;

// Not by the address: its hash says which run or room is shown.
const skip = document.querySelector('.skip-link');
skip.textContent = t('skip');
skip.addEventListener('click', (event) => {
  event.preventDefault();
  const content = [...document.querySelectorAll('main, [role=main]')].find((part) => part.checkVisibility());
  content.tabIndex = -1;
  content.focus();
});

learnMe();
keepPages();
addEventListener('pilotlight:refused', ({ detail }) => {
  showRefusal(detail); // an event of connection.js
  if (detail.type?.endsWith(':sign-in-needed')) learnMe();
});

// Who has signed in in another tab sees the page when they come back to this one.
document.addEventListener('visibilitychange', async () => {
  if (document.hidden || document.body.dataset.role !== 'nobody') return;
  const me = await learnMe();
  if (me && me.role !== 'nobody') location.reload();
});

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
