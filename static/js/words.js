// The words that all pages share, and the lights page's, in one table a language.
//
// `t(key, values)` returns the words of a key. `translate(root)` fills the elements that have a key in `data-word` (text),
// `data-word-label` (aria-label) or `data-word-placeholder`.

import { remembered } from './remember.js';

const en = {
  lights: 'Lights',
  lights_on: ({ on, all }) => (on === 0 ? 'All off' : on === all ? 'All on' : `${on} of ${all} on`),
  lights_offline: ({ offline, all }) => (offline === all ? 'All offline' : `${offline} offline`),
  no_lights: 'No lights yet',
  no_lights_how: 'An admin adds one on the page “Settings” of the panel that has the pin.',

  live: 'Live',
  connecting: 'Connecting',
  reconnecting: 'Reconnecting',
  offline: 'Offline',
  not_signed_in: 'Not signed in',
  round_trip: ({ ms }) => `${ms} ms`,
  link_label: ({ status }) => `Connection: ${status}. More about it`,
  connection: 'Connection',
  link_status: 'Status',
  link_since: 'Connected since',
  link_lost_since: 'Not connected since',
  link_moment: ({ time, age }) => `${time} (${age})`,
  link_round_trip: 'Round trip',
  link_change: 'Settings of this device',
  link_live: 'Connected to the panel',
  link_lost: 'Connection lost. Reconnecting.',
  link_offline: 'No connection to the panel.',
  lost_title: 'No connection to the panel',
  lost_restarting: 'The panel is restarting',
  lost_since: ({ age }) => `Last update: ${age}.`,
  lost_retry: ({ seconds }) => (seconds > 0 ? `Next try in ${seconds} s.` : 'Trying now.'),
  lost_network: 'This device has no network.',
  try_now: 'Try now',
  stale: 'last known',

  level: 'Level',
  level_of: ({ name }) => `Level of ${name}`,
  percent_of: ({ name }) => `${name}: level in percent`,
  level_text: ({ level }) => `${level} percent`,
  level_text_off: ({ level }) => `off, ${level} percent when on`,
  brighter: ({ name }) => `${name}: 10 % brighter. Hold for steps of 1 %`,
  dimmer: ({ name }) => `${name}: 10 % dimmer. Hold for steps of 1 %`,
  switch_of: ({ name }) => `${name} on or off`,
  on: 'On',
  off: 'Off',
  pin: ({ pin }) => `GPIO ${pin}`,
  fade: 'Fade',
  fade_none: 'None',
  fade_seconds: ({ seconds }) => (seconds < 60 ? `${seconds} s` : `${seconds / 60} min`),
  effect: 'Effect',
  effect_none: 'None',
  effect_pulse: 'Pulse',
  effect_blink: 'Blink',
  effect_candle: 'Candle',
  flash_of: ({ name }) => `Flash ${name} three times to find it`,
  undo: 'Undo',
  undo_of: ({ name, look }) => `Undo: ${name} back to ${look}`,

  you: 'You',
  outside: 'Outside the panel',
  did_set: ({ who, level }) => `${who} set ${level} %`,
  did_off: ({ who }) => `${who} switched it off`,
  did_effect: ({ who, effect, level }) => `${who} set ${effect} at ${level} %`,
  did_flash: ({ who }) => `${who} flashed it`,
  did_start: 'Not changed since the panel started',
  look_level: ({ level }) => `${level} %`,
  look_off: 'off',
  look_effect: ({ effect, level }) => `${effect} at ${level} %`,
  ago_now: 'now',
  ago_seconds: ({ n }) => `${n} s ago`,
  ago_minutes: ({ n }) => `${n} min ago`,
  ago_hours: ({ n }) => `${n} h ago`,
  ago_days: ({ n }) => (n === 1 ? 'yesterday' : `${n} days ago`),

  light_offline: 'Offline',
  fix: 'This should help:',
  copy: 'Copy',
  copied: 'Copied',

  pins_mock: 'Simulated pins',
  pins_pigpio: 'Pins by pigpio',
  pins_lgpio: 'Pins by lgpio',
  pins_none: 'No pins here',
  nodes_all: ({ all }) => `All ${all} panels`,
  nodes_some: ({ n, all }) => `${n} of ${all} panels`,
  nodes_show_all: 'Show all',

  refused: 'Not done',
  dismiss: 'Dismiss',
  not_a_level: ({ text }) => `“${text}” is not a level. A level is a whole number from 0 to 100.`,
  unanswered: 'No answer',
  lost_answer: 'The connection broke before the answer came. This may not have been done.',

  settings: 'Settings',
  close: 'Close',
  transport: 'Transport',
  save: 'Save',
  compare: 'Transports',
  lab: 'Lab',
  api: 'API',

  pause: 'Pause',
  resume: 'Resume',
};

const zh = {
  lights: '灯光',
  lights_offline: ({ offline, all }) => (offline === all ? '全部离线' : `${offline} 盏离线`),
  lights_on: ({ on, all }) => (on === 0 ? '全部关闭' : on === all ? '全部打开' : `${on}/${all} 盏亮着`),
  no_lights: '还没有灯',
  no_lights_how: '管理员可以在拥有引脚的面板的“设置”页添加。',

  live: '实时',
  connecting: '正在连接',
  reconnecting: '正在重连',
  offline: '离线',
  not_signed_in: '未登录',
  round_trip: ({ ms }) => `${ms} ms`,
  link_label: ({ status }) => `连接：${status}。了解更多`,
  connection: '连接',
  link_status: '状态',
  link_since: '连接时间',
  link_lost_since: '断开时间',
  link_moment: ({ time, age }) => `${time}（${age}）`,
  link_round_trip: '往返时间',
  link_change: '此设备的设置',
  link_live: '已连接到面板',
  link_lost: '连接中断，正在重连。',
  link_offline: '无法连接到面板。',
  lost_title: '无法连接到面板',
  lost_restarting: '面板正在重新启动',
  lost_since: ({ age }) => `上次更新：${age}。`,
  lost_retry: ({ seconds }) => (seconds > 0 ? `${seconds} 秒后重试。` : '正在重试。'),
  lost_network: '此设备没有网络。',
  try_now: '立即重试',
  stale: '上次状态',

  level: '亮度',
  level_of: ({ name }) => `${name}的亮度`,
  percent_of: ({ name }) => `${name}：亮度（百分比）`,
  level_text: ({ level }) => `百分之 ${level}`,
  level_text_off: ({ level }) => `已关闭，打开时为百分之 ${level}`,
  brighter: ({ name }) => `${name}：调亮 10 %；长按每次调 1 %`,
  dimmer: ({ name }) => `${name}：调暗 10 %；长按每次调 1 %`,
  switch_of: ({ name }) => `${name}开关`,
  on: '开',
  off: '关',
  pin: ({ pin }) => `GPIO ${pin}`,
  fade: '渐变',
  fade_none: '无',
  fade_seconds: ({ seconds }) => (seconds < 60 ? `${seconds} 秒` : `${seconds / 60} 分`),
  effect: '效果',
  effect_none: '无',
  effect_pulse: '呼吸',
  effect_blink: '闪烁',
  effect_candle: '烛光',
  flash_of: ({ name }) => `让${name}闪三次，以便找到它`,
  undo: '撤销',
  undo_of: ({ name, look }) => `撤销：${name}恢复为${look}`,

  you: '你',
  outside: '外部控制',
  did_set: ({ who, level }) => `${who}设为 ${level} %`,
  did_off: ({ who }) => `${who}关了灯`,
  did_effect: ({ who, effect, level }) => `${who}设为${effect}，${level} %`,
  did_flash: ({ who }) => `${who}让灯闪烁`,
  did_start: '面板启动后未更改',
  look_level: ({ level }) => `${level} %`,
  look_off: '关闭',
  look_effect: ({ effect, level }) => `${effect}，${level} %`,
  ago_now: '刚刚',
  ago_seconds: ({ n }) => `${n} 秒前`,
  ago_minutes: ({ n }) => `${n} 分钟前`,
  ago_hours: ({ n }) => `${n} 小时前`,
  ago_days: ({ n }) => (n === 1 ? '昨天' : `${n} 天前`),

  light_offline: '离线',
  fix: '可以试试：',
  copy: '复制',
  copied: '已复制',

  pins_mock: '模拟引脚',
  pins_pigpio: '引脚由 pigpio 驱动',
  pins_lgpio: '引脚由 lgpio 驱动',
  pins_none: '此处没有引脚',
  nodes_all: ({ all }) => `全部 ${all} 个面板`,
  nodes_some: ({ n, all }) => `${all} 个面板中的 ${n} 个`,
  nodes_show_all: '全部显示',

  refused: '未执行',
  details: '详情：',
  dismiss: '关闭提示',
  not_a_level: ({ text }) => `“${text}”不是亮度。亮度是 0 到 100 的整数。`,
  unanswered: '没有回应',
  lost_answer: '收到回应之前连接中断，操作可能没有执行。',

  settings: '设置',
  close: '关闭',
  transport: '传输方式',
  save: '保存',
  compare: '传输对比',
  lab: '实验室',
  api: 'API',

  pause: '暂停',
  resume: '继续',
};

const TABLES = { en, zh };

export const language = chosenLanguage();

function chosenLanguage() {
  const wanted = [remembered('language'), ...navigator.languages].map((tag) => String(tag).slice(0, 2));
  return wanted.find((tag) => tag in TABLES) ?? 'en';
}

/** Add the words of a page: `{ en: {…}, zh: {…} }`. Call it before `translate`. */
export function addWords(tables) {
  for (const [tag, words] of Object.entries(tables)) Object.assign(TABLES[tag], words);
}

export function t(key, values = {}) {
  const word = TABLES[language][key] ?? en[key] ?? key;
  return typeof word === 'function' ? word(values) : word;
}

export function translate(root) {
  for (const element of root.querySelectorAll('[data-word]')) element.textContent = t(element.dataset.word);
  for (const element of root.querySelectorAll('[data-word-label]')) {
    element.setAttribute('aria-label', t(element.dataset.wordLabel));
  }
  for (const element of root.querySelectorAll('[data-word-placeholder]')) {
    element.placeholder = t(element.dataset.wordPlaceholder);
  }
}

/** 0.4, 3.2, 48: milliseconds with a useful number of digits. */
export function inMilliseconds(ms) {
  return ms < 10 ? ms.toFixed(1) : Math.round(ms).toString();
}

/** "12 s ago"; `at` and `now` are seconds on the panel's clock. */
export function ago(at, now) {
  const seconds = now - at;
  if (seconds < 2) return t('ago_now'); // also a time in the future, by a clock that is wrong
  if (seconds < 60) return t('ago_seconds', { n: Math.floor(seconds) });
  if (seconds < 3600) return t('ago_minutes', { n: Math.floor(seconds / 60) });
  if (seconds < 86400) return t('ago_hours', { n: Math.floor(seconds / 3600) });
  return t('ago_days', { n: Math.floor(seconds / 86400) });
}
