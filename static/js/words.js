// Every word a person reads, in one table per language.
//
// `t(key, values)` looks a word up; `translate(root)` fills the elements that name one in `data-word`
// (text), `data-word-label` (aria-label) or `data-word-placeholder`.

import { remembered } from './remember.js';

const en = {
  lights: 'Lights',
  lights_on: ({ on, all }) => (on === 0 ? 'All off' : on === all ? 'All on' : `${on} of ${all} on`),
  lights_offline: ({ offline, all }) => (offline === all ? 'All offline' : `${offline} offline`),
  no_lights: 'No lights yet',
  no_lights_how: 'Add a [lights.<id>] table with a pin to the settings file and start the panel again.',

  live: 'Live',
  connecting: 'Connecting',
  reconnecting: 'Reconnecting',
  offline: 'Offline',
  round_trip: ({ ms }) => `${ms} ms`,
  link_label: ({ status, transport, ms }) =>
    `Connection: ${status}, ${transport}${ms === null ? '' : `, round trip ${ms} milliseconds`}. Open settings`,
  link_live: 'Connected to the panel',
  link_lost: 'Connection lost. Reconnecting.',
  link_offline: 'No connection to the panel.',
  lost_title: 'No connection to the panel',
  lost_restarting: 'The panel is restarting',
  lost_since: ({ age }) => `What you see is from ${age}.`,
  lost_retry: ({ seconds }) => (seconds > 0 ? `Next try in ${seconds} s.` : 'Trying now.'),
  lost_network: 'This device has no network.',
  try_now: 'Try now',
  stale: 'last known',

  level: 'Level',
  level_of: ({ name }) => `Level of ${name}`,
  level_text: ({ level }) => `${level} percent`,
  level_text_off: ({ level }) => `off, ${level} percent when on`,
  brighter: ({ name }) => `${name}: 10 brighter; hold for single steps`,
  dimmer: ({ name }) => `${name}: 10 dimmer; hold for single steps`,
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
  flash_of: ({ name }) => `Flash ${name} three times, to see which one it is`,
  undo: 'Undo',
  undo_of: ({ name, look }) => `Undo: ${name} back to ${look}`,

  you: 'You',
  outside: 'Outside the panel',
  did_set: ({ who, level }) => `${who} set ${level} %`,
  did_off: ({ who }) => `${who} switched it off`,
  did_effect: ({ who, effect, level }) => `${who} set ${effect} at ${level} %`,
  did_flash: ({ who }) => `${who} flashed it`,
  did_start: 'As it was when the panel started',
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

  refused: 'Not done',
  dismiss: 'Dismiss',
  not_a_level: ({ text }) => `“${text}” is not a level. A level is a whole number from 0 to 100.`,
  unanswered: 'No answer',
  lost_answer: 'The connection broke before the panel answered, so this may not have been done.',

  settings: 'Settings',
  close: 'Close',
  device_name: 'Name of this device',
  device_name_example: 'Kitchen tablet',
  transport: 'Transport',
  language: 'Language',
  save: 'Save',
  compare: 'Transports',
  lab: 'Lab',
  api: 'API',

  compare_title: 'Transports',
  compare_lead: 'The same panel over three transports, at the same time.',
  compare_what:
    'Each transport asks the panel four times a second and waits for its answer; the plot shows how long that took, from the call in this page to the answer in it, in milliseconds. WebSocket and Socket.IO send a ping over a connection that stays open, and the panel answers with its revision. REST sends GET /lights and gets every light. All three run in this one page at once, so they take turns on the same processor and network.',
  pause: 'Pause',
  resume: 'Resume',
  last: 'Last',
  median: 'Median',
  p95: '95th percentile',
  worst: 'Worst',
  samples: 'Samples',
  round_trip_ago: ({ n }) => `${n} s`,
  last_minute: 'Round trip over the last 60 s, milliseconds',
  clipped: 'Rare peaks go out of the frame; the table has them.',
};

const zh = {
  lights: '灯光',
  lights_offline: ({ offline, all }) => (offline === all ? '全部离线' : `${offline} 盏离线`),
  lights_on: ({ on, all }) => (on === 0 ? '全部关闭' : on === all ? '全部打开' : `${all} 盏中 ${on} 盏亮着`),
  no_lights: '还没有灯',
  no_lights_how: '在设置文件中加入带引脚的 [lights.<id>] 表,然后重新启动面板。',

  live: '实时',
  connecting: '正在连接',
  reconnecting: '正在重连',
  offline: '离线',
  round_trip: ({ ms }) => `${ms} ms`,
  link_label: ({ status, transport, ms }) =>
    `连接:${status},${transport}${ms === null ? '' : `,往返 ${ms} 毫秒`}。打开设置`,
  link_live: '已连接到面板',
  link_lost: '连接中断,正在重连。',
  link_offline: '无法连接到面板。',
  lost_title: '无法连接到面板',
  lost_restarting: '面板正在重新启动',
  lost_since: ({ age }) => `当前显示的是${age}的状态。`,
  lost_retry: ({ seconds }) => (seconds > 0 ? `${seconds} 秒后重试。` : '正在重试。'),
  lost_network: '此设备没有网络。',
  try_now: '立即重试',
  stale: '最后已知',

  level: '亮度',
  level_of: ({ name }) => `${name}的亮度`,
  level_text: ({ level }) => `百分之 ${level}`,
  level_text_off: ({ level }) => `已关闭,打开时为百分之 ${level}`,
  brighter: ({ name }) => `${name}:调亮 10;长按逐级调节`,
  dimmer: ({ name }) => `${name}:调暗 10;长按逐级调节`,
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
  flash_of: ({ name }) => `让${name}闪三次,看看是哪一盏`,
  undo: '撤销',
  undo_of: ({ name, look }) => `撤销:${name}恢复为${look}`,

  you: '你',
  outside: '面板之外',
  did_set: ({ who, level }) => `${who}设为 ${level} %`,
  did_off: ({ who }) => `${who}关了灯`,
  did_effect: ({ who, effect, level }) => `${who}设为${effect},${level} %`,
  did_flash: ({ who }) => `${who}让它闪了闪`,
  did_start: '面板启动时的状态',
  look_level: ({ level }) => `${level} %`,
  look_off: '关闭',
  look_effect: ({ effect, level }) => `${effect},${level} %`,
  ago_now: '刚刚',
  ago_seconds: ({ n }) => `${n} 秒前`,
  ago_minutes: ({ n }) => `${n} 分钟前`,
  ago_hours: ({ n }) => `${n} 小时前`,
  ago_days: ({ n }) => (n === 1 ? '昨天' : `${n} 天前`),

  light_offline: '离线',
  fix: '可以试试:',
  copy: '复制',
  copied: '已复制',

  pins_mock: '模拟引脚',
  pins_pigpio: '引脚由 pigpio 驱动',
  pins_lgpio: '引脚由 lgpio 驱动',

  refused: '未执行',
  dismiss: '关闭提示',
  not_a_level: ({ text }) => `“${text}”不是亮度。亮度是 0 到 100 的整数。`,
  unanswered: '没有答复',
  lost_answer: '面板答复之前连接中断,这次更改可能没有执行。',

  settings: '设置',
  close: '关闭',
  device_name: '此设备的名称',
  device_name_example: '厨房平板',
  transport: '传输方式',
  language: '语言',
  save: '保存',
  compare: '传输对比',
  lab: '实验室',
  api: 'API',

  compare_title: '传输对比',
  compare_lead: '同一个面板,同时使用三种传输方式。',
  compare_what:
    '每种传输方式每秒向面板询问四次并等待答复;曲线是从本页发出到本页收到答复所用的毫秒数。WebSocket 和 Socket.IO 在保持打开的连接上发送 ping,面板以修订号答复。REST 发送 GET /lights,得到所有灯的状态。三者同时在本页运行,共用同一个处理器和网络。',
  pause: '暂停',
  resume: '继续',
  last: '最近',
  median: '中位数',
  p95: '95 百分位',
  worst: '最慢',
  samples: '样本数',
  round_trip_ago: ({ n }) => `${n} 秒`,
  last_minute: '最近 60 秒的往返时间,毫秒',
  clipped: '个别尖峰超出图框;表中有它们的数值。',

  // By the type of the problem. In English the panel's own title is shown.
  problem_refused: '面板拒绝了',
  'problem_malformed-json': '这不是 JSON',
  'problem_bad-command': '面板不认识这条命令',
  'problem_bad-level': '这不是亮度',
  'problem_level-missing': '没有给出亮度',
  'problem_level-not-an-integer': '亮度不是整数',
  'problem_level-out-of-range': '亮度超出范围',
  'problem_unknown-light': '没有这盏灯',
  'problem_nothing-to-undo': '没有可以撤销的更改',
  'problem_light-offline': '这盏灯离线',
  'problem_too-large': '内容太大',
  'problem_too-many': '数量太多',
  'problem_too-fast': '太快了',
  'problem_not-found': '这里什么也没有',
  'problem_method-not-allowed': '这里不能用这个方法',
  'problem_unsupported-media-type': '这里不接受这种内容类型',
  'problem_foreign-origin': '不允许来自这个网站的请求',
  'problem_name-needed': '请先说明你是谁',
  'problem_bad-name': '这不能用作名字',
  'problem_unknown-person': '没有叫这个名字的人',
  'problem_unknown-room': '没有这个房间',
  'problem_unknown-run': '没有这个运行',
  'problem_run-ended': '这个运行已经结束',
  'problem_no-producer': '没有人接收这个运行的控制信号',
  'problem_run-of-show': '这个运行由面板自己执行',
  'problem_lines-missing': '前面的日志行缺失',
  'problem_no-answer': '执行方没有答复',
  'problem_bad-show': '这不是灯光秀',
  'problem_unknown-show': '没有这个灯光秀',
  'problem_show-running': '这个灯光秀已经在运行',
  'problem_sign-in-needed': '需要登录',
  'problem_sign-in-failed': '登录失败',
  'problem_not-allowed': '你的权限不够',
  'problem_name-taken': '这个名字已属于别人',
  'problem_unknown-session': '没有这个登录',
  'problem_secrets-unreadable': '现在无法登录',
  'problem_unclaimed-name': '这个名字不属于任何人',
  'problem_unknown-token': '没有这个令牌',
  'problem_too-many-tries': '错误尝试太多',
  'problem_wrong-host': '面板不使用这个名称',
  problem_full: '面板的连接已满',
  'problem_bad-request': '这不是有效的请求',
  'problem_target-too-long': '网址太长',
  'problem_head-too-large': '请求头太大',
  'problem_websocket-version': '不支持这个 WebSocket 版本',
  'problem_request-timeout': '请求来得太慢',
  'problem_too-many-connections': '来自此地址的连接太多',
  'problem_not-stored': '面板现在无法保存',
  problem_restarting: '面板正在重新启动',
  'problem_internal-error': '面板出错了',
  problem_setup: '面板无法启动',
};

const TABLES = { en, zh };

export const language = chosenLanguage();

function chosenLanguage() {
  const wanted = [remembered('language'), ...navigator.languages].map((tag) => String(tag).slice(0, 2));
  return wanted.find((tag) => tag in TABLES) ?? 'en';
}

/** A page's own words beside the shared ones: `{ en: {…}, zh: {…} }`. To be called before `translate`. */
export function addWords(tables) {
  for (const [tag, words] of Object.entries(tables)) Object.assign(TABLES[tag], words);
}

/** Whether the page's language has a word of its own for it. */
export function hasWord(key) {
  return key in TABLES[language];
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

/** "12 s ago", on the panel's clock. */
export function ago(at, now) {
  const seconds = now - at;
  if (seconds < 2) return t('ago_now'); // and what a clock puts into the future
  if (seconds < 60) return t('ago_seconds', { n: Math.floor(seconds) });
  if (seconds < 3600) return t('ago_minutes', { n: Math.floor(seconds / 60) });
  if (seconds < 86400) return t('ago_hours', { n: Math.floor(seconds / 3600) });
  return t('ago_days', { n: Math.floor(seconds / 86400) });
}
