// Every word a person reads, in one table per language.
//
// `t(key, values)` looks a word up; `translate(root)` fills the elements that name one in `data-word`
// (text), `data-word-label` (aria-label) or `data-word-title` (tooltip).

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

  lab: 'Lab',
  lab_lead: 'The panel’s sockets, opened up: send something, and see what goes over which wire.',
  lab_connection: 'Connection',
  lab_connection_what:
    'Socket.IO starts with HTTP polling, which passes everywhere, and changes to a WebSocket once that is proven to work.',
  lab_connected: 'Connected',
  lab_closed: 'Disconnected',
  lab_in_use: 'Transport in use',
  lab_after: ({ ms }) => `connected: ${ms} ms`,
  lab_upgraded_after: ({ ms }) => `upgraded: ${ms} ms`,
  lab_why: ({ reason }) => `because of: ${reason}`,
  lab_why_you: 'by this page',
  lab_why_panel: 'by the panel',
  lab_why_silent: 'because the panel went silent',
  lab_choice_auto: 'Auto',
  lab_choice_polling: 'Polling',
  lab_choice_websocket: 'WebSocket',
  lab_connect: 'Connect',
  lab_disconnect: 'Disconnect',
  lab_disconnect_request: 'Let the panel do it',

  lab_latency: 'Latency',
  lab_latency_what: 'Each second this page sends my_ping and takes the time until my_pong is here.',
  lab_average: 'on average',
  lab_average_of: ({ n }) => (n === 1 ? 'one round trip' : `average of the last ${n}`),
  lab_best: 'Best',
  lab_plot: 'The last 30 round trips in milliseconds',

  lab_events: 'Events',
  lab_events_what:
    'The panel answers with my_response: to this page alone, or to everybody. It counts the events of this connection, and acknowledges each.',
  lab_data: 'Data',
  lab_data_how: 'JSON goes out as JSON, anything else as text.',
  lab_echo: 'Echo',
  lab_broadcast: 'Broadcast',
  lab_echo_bytes: 'Echo bytes',
  lab_acked: ({ event, ms }) => `${event} acknowledged in ${ms} ms`,
  lab_refused: ({ event, detail }) => `${event} refused: ${detail}`,

  lab_rooms: 'Rooms',
  lab_rooms_what:
    'A room is made by joining it, and what is sent to it reaches its members. Open this page in a second tab to see both sides.',
  lab_rooms_in: 'Rooms this connection is in',
  lab_own_room: 'your own',
  lab_no_rooms: 'In no room while disconnected',
  lab_room: 'Room',
  lab_join: 'Join',
  lab_leave: 'Leave',
  lab_leave_room: ({ room }) => `Leave ${room}`,
  lab_close_room: 'Close room',
  lab_room_data: 'Data for the room',
  lab_room_how: 'You need not be a member to send. A sid is a room too; an empty name is you alone.',
  lab_room_send: 'Send to the room',

  lab_raw: 'Raw WebSocket',
  lab_raw_what: 'No Socket.IO in between: each frame comes back as it was sent, text or binary, up to 1 MiB. A larger one is closed with 1009.',
  lab_raw_opening: 'Opening',
  lab_raw_open: 'Open',
  lab_raw_closing: 'Closing',
  lab_raw_closed: 'Closed',
  lab_text: 'Text frame',
  lab_binary: 'Binary frame',
  lab_bytes: 'Binary frame of random bytes',
  lab_send: 'Send',
  lab_open: 'Open',
  lab_closing_code: 'Closing code',
  lab_closing_how: 'A page may close with 1000, or with 3000 to 4999.',
  lab_echoed: ({ type, size, ms }) => `${type}, ${size}, came back the same in ${ms} ms`,
  lab_echoed_wrong: ({ type, size }) => `${type}, ${size}, came back different`,
  lab_code_1000: 'normal',
  lab_code_1001: 'going away',
  lab_code_1005: 'no code given',
  lab_code_1006: 'lost without a closing frame',
  lab_code_1007: 'not UTF-8',
  lab_code_1009: 'message too big',
  lab_code_1012: 'the panel restarts',
  lab_code_4008: 'nothing was read for too long',

  lab_api_what: 'Takes any JSON. Malformed JSON is answered with 400, another content type with 415.',
  lab_body: 'Body',

  lab_log: 'Log',
  lab_clear: 'Clear',
  lab_count: ({ shown, all }) => (shown === all ? `${all}` : `${shown} of ${all}`),
  lab_paused: ({ n }) => `Paused, ${n} waiting`,
  lab_filter: 'Filter by name or payload',
  lab_shown: 'What is shown',
  lab_pings: 'Pings',
  lab_packets: 'Packets',
  lab_packets_what: 'The Engine.IO packets that carry the events',
  lab_nothing: 'Nothing to show yet.',
  lab_to_latest: 'To the latest',
  lab_went_out: 'out',
  lab_went_in: 'in',
  lab_went_none: 'note',
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

  lab: '实验室',
  lab_lead: '打开面板的连接看一看：发送内容，观察它走哪条线路。',
  lab_connection: '连接',
  lab_connection_what: 'Socket.IO 先用到处都能通过的 HTTP 轮询，确认 WebSocket 可用后再切换过去。',
  lab_connected: '已连接',
  lab_closed: '已断开',
  lab_in_use: '正在使用的传输方式',
  lab_after: ({ ms }) => `连接用时 ${ms} ms`,
  lab_upgraded_after: ({ ms }) => `升级用时 ${ms} ms`,
  lab_why: ({ reason }) => `原因：${reason}`,
  lab_why_you: '由本页断开',
  lab_why_panel: '由面板断开',
  lab_why_silent: '面板没有响应',
  lab_choice_auto: '自动',
  lab_choice_polling: '轮询',
  lab_choice_websocket: 'WebSocket',
  lab_connect: '连接',
  lab_disconnect: '断开',
  lab_disconnect_request: '请面板断开',

  lab_latency: '延迟',
  lab_latency_what: '本页每秒发送 my_ping，并测量收到 my_pong 所用的时间。',
  lab_average: '平均',
  lab_average_of: ({ n }) => (n === 1 ? '一次往返' : `最近 ${n} 次的平均值`),
  lab_best: '最快',
  lab_plot: '最近 30 次往返时间，毫秒',

  lab_events: '事件',
  lab_events_what: '面板用 my_response 答复：只给本页，或给所有人。它为此连接的事件计数，并逐个确认。',
  lab_data: '数据',
  lab_data_how: 'JSON 按 JSON 发送，其他内容按文本发送。',
  lab_echo: '回显',
  lab_broadcast: '广播',
  lab_echo_bytes: '回显字节',
  lab_acked: ({ event, ms }) => `${event} 已确认，用时 ${ms} ms`,
  lab_refused: ({ event, detail }) => `${event} 被拒绝：${detail}`,

  lab_rooms: '房间',
  lab_rooms_what: '加入即创建房间，发到房间的内容会到达每个成员。在另一个标签页中打开本页，可以看到两边。',
  lab_rooms_in: '此连接所在的房间',
  lab_own_room: '你自己的',
  lab_no_rooms: '断开时不在任何房间',
  lab_room: '房间',
  lab_join: '加入',
  lab_leave: '离开',
  lab_leave_room: ({ room }) => `离开 ${room}`,
  lab_close_room: '关闭房间',
  lab_room_data: '发给房间的数据',
  lab_room_how: '不是成员也可以发送。sid 也是房间；名称留空则只发给自己。',
  lab_room_send: '发到房间',

  lab_raw: '原生 WebSocket',
  lab_raw_what: '中间没有 Socket.IO：每一帧原样返回，文本或二进制，最大 1 MiB。更大的帧以 1009 关闭连接。',
  lab_raw_opening: '正在打开',
  lab_raw_open: '已打开',
  lab_raw_closing: '正在关闭',
  lab_raw_closed: '已关闭',
  lab_text: '文本帧',
  lab_binary: '二进制帧',
  lab_bytes: '随机字节的二进制帧',
  lab_send: '发送',
  lab_open: '打开',
  lab_closing_code: '关闭代码',
  lab_closing_how: '网页可以用 1000 或 3000 到 4999 关闭。',
  lab_echoed: ({ type, size, ms }) => `${type}，${size}，${ms} ms 后原样返回`,
  lab_echoed_wrong: ({ type, size }) => `${type}，${size}，返回的内容不同`,
  lab_code_1000: '正常',
  lab_code_1001: '对方离开',
  lab_code_1005: '没有代码',
  lab_code_1006: '中断，没有关闭帧',
  lab_code_1007: '不是 UTF-8',
  lab_code_1009: '消息过大',
  lab_code_1012: '面板正在重新启动',
  lab_code_4008: '太久没有读取',

  lab_api_what: '接受任何 JSON。格式错误的 JSON 得到 400，其他内容类型得到 415。',
  lab_body: '正文',

  lab_log: '日志',
  lab_clear: '清空',
  lab_count: ({ shown, all }) => (shown === all ? `${all}` : `${all} 条中的 ${shown} 条`),
  lab_paused: ({ n }) => `已暂停，${n} 条等待`,
  lab_filter: '按名称或内容筛选',
  lab_shown: '显示的内容',
  lab_pings: 'Ping',
  lab_packets: '数据包',
  lab_packets_what: '承载事件的 Engine.IO 数据包',
  lab_nothing: '还没有内容。',
  lab_to_latest: '回到最新',
  lab_went_out: '发出',
  lab_went_in: '收到',
  lab_went_none: '备注',
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
