// What somebody did, as a sentence in each language.

import { addWords, language, t } from '../words.js';

// By the name of the action: what somebody did, the subject follows; and what somebody was not allowed to do. Who is refused
// has no subject: the panel has not looked it up.
const ENGLISH = {
  set_light: ['set', 'set a light'],
  undo_light: ['undid the last change of', 'undo a change'],
  add_light: ['added the light', 'add a light'],
  change_light: ['changed the settings of', 'change the settings of a light'],
  remove_light: ['removed the light', 'remove a light'],
  order_lights: ['changed the order of the lights', 'change the order of the lights'],
  order_groups: ['changed the order of the groups', 'change the order of the groups'],
  save_group: ['saved the group', 'save a group'],
  rename_group: ['renamed the group', 'rename a group'],
  delete_group: ['deleted the group', 'delete a group'],
  save_scene: ['saved the scene', 'save a scene'],
  rename_scene: ['renamed the scene', 'rename a scene'],
  delete_scene: ['deleted the scene', 'delete a scene'],
  recall_scene: ['recalled the scene', 'recall a scene'],
  save_schedule: ['added the schedule', 'add a schedule'],
  change_schedule: ['changed the schedule', 'change a schedule'],
  skip_schedule: ['skipped a time of the schedule', 'skip a time of a schedule'],
  delete_schedule: ['deleted the schedule', 'delete a schedule'],
  start_show: ['started the show', 'start a show'],
  save_show: ['saved the show', 'save a show'],
  delete_show: ['deleted the show', 'delete a show'],
  try_show: ['tried the show', 'try a show'],
  start_run: ['started the run', 'start a run'],
  end_run: ['ended the run', 'end a run'],
  pin_run: ['pinned the run', 'pin a run'],
  delete_run: ['deleted the run', 'delete a run'],
  signal_run: ['sent a signal to the run', 'send a signal to a run'],
  running_logger: ['sent a signal to the run', 'send a signal to a run'],
  delete_room: ['deleted the room', 'delete a room'],
  delete_person: ['deleted the person', 'delete a person'],
  sign_in: ['signed in', 'sign in'],
  sign_out: ['signed out', 'sign out'],
  make_code: ['made a QR code', 'make a QR code'],
  claim_name: ['claimed the name', 'claim the name'],
  release_name: ['gave up the name', 'give up a name'],
  add_token: ['created the token', 'create a token'],
  revoke_token: ['revoked the token', 'revoke a token'],
  end_session: ['ended the session of', 'end a session'],
};
const CHINESE = {
  set_light: '设置灯',
  undo_light: '撤销上次更改：',
  add_light: '添加灯',
  change_light: '更改灯的设置：',
  remove_light: '移除灯',
  order_lights: '更改灯的顺序',
  order_groups: '更改分组的顺序',
  save_group: '保存分组',
  rename_group: '重命名分组',
  delete_group: '删除分组',
  save_scene: '保存场景',
  rename_scene: '重命名场景',
  delete_scene: '删除场景',
  recall_scene: '调用场景',
  save_schedule: '添加定时',
  change_schedule: '更改定时',
  skip_schedule: '跳过一次定时',
  delete_schedule: '删除定时',
  start_show: '启动灯光秀',
  save_show: '保存灯光秀',
  delete_show: '删除灯光秀',
  try_show: '试播灯光秀',
  start_run: '启动任务',
  end_run: '结束任务',
  pin_run: '固定任务',
  delete_run: '删除任务',
  signal_run: '向任务发送信号',
  running_logger: '向任务发送信号',
  delete_room: '删除房间',
  delete_person: '删除成员',
  sign_in: '登录',
  sign_out: '退出登录',
  make_code: '生成二维码',
  claim_name: '注册名字',
  release_name: '放弃名字',
  add_token: '创建令牌',
  revoke_token: '撤销令牌',
  end_session: '结束登录：',
};
// What the trail has only where it was refused.
const REFUSED = {
  get_history: ['read the history of a light', '查看灯的历史记录'],
  get_state: ['read the state', '查看状态'],
  ping: ['ping the panel', '测试连接'],
  say: ['write a message', '发送消息'],
  edit_message: ['edit a message', '编辑消息'],
  delete_message: ['delete a message', '删除消息'],
  search_messages: ['search the messages', '搜索消息'],
  get_messages: ['read messages', '查看消息'],
  get_threads: ['read the list of talks', '查看聊天列表'],
  typing: ['show that they are typing', '显示正在输入'],
  mark: ['mark messages as read', '将消息标为已读'],
  join_room: ['join a room', '加入房间'],
  leave_room: ['leave a room', '离开房间'],
  update_run: ['report the progress of a run', '报告任务的进度'],
  log_run: ['add lines to a log', '写入日志'],
  answer_run: ['answer a signal of a run', '回应任务的信号'],
  watch_run: ['watch a run', '查看任务'],
  unwatch_run: ['stop watching a run', '停止查看任务'],
  get_runs: ['read the list of runs', '查看任务列表'],
  get_log: ['read a log', '查看日志'],
  search_log: ['search a log', '搜索日志'],
};
const CLAIM = /^claiming the name (.*)$/s; // what is refused to somebody who wants a name
const ADDRESS = /^(?:\S+ )?\/\S*(?: \S+)?$/; // what is refused at a route or a socket: "GET /audit", "ws /live", "/ led"
const ABOUT_THEMSELVES = ['sign_in', 'sign_out', 'make_code'];
const OF_SEVERAL = ['groups', 'scenes']; // what a command for a light can be about instead; the detail says which

addWords({
  en: {
    deed_somebody: 'Somebody',
    deed_all_lights: 'all lights',
    deed_lights: 'lights',
    deed_failed: ({ who }) => `${who} failed to sign in`,
    deed_not_allowed: ({ who, act }) => `${who} was not allowed to ${act}`,
    deed_use: ({ what }) => `use ${what}`,
    deed_set: ({ who, name, look }) => `${who} set ${name} to ${look}`,
    deed_on: ({ who, name }) => `${who} switched ${name} on`,
    deed_off: ({ who, name }) => `${who} switched ${name} off`,
    deed_flash: ({ who, name }) => `${who} flashed ${name}`,
    deed_change: ({ who, name }) => `${who} changed ${name}`,
  },
  zh: {
    deed_somebody: '有人',
    deed_all_lights: '所有灯',
    deed_lights: '灯光',
    deed_failed: ({ who }) => `${who}登录失败`,
    deed_not_allowed: ({ who, act }) => `${who}无权${act}`,
    deed_use: ({ what }) => `使用 ${what}`,
    deed_set: ({ who, name, look }) => `${who}将${name}设为${look}`,
    deed_on: ({ who, name }) => `${who}打开了${name}`,
    deed_off: ({ who, name }) => `${who}关闭了${name}`,
    deed_flash: ({ who, name }) => `${who}让${name}闪烁`,
    deed_change: ({ who, name }) => `${who}更改了${name}`,
  },
});

/** Whether `sentence` says all of it. */
export function knows({ what, outcome }) {
  return what in (language === 'zh' ? CHINESE : ENGLISH) || (outcome === 'refused' && actOf(what) !== null);
}

/**
 * What the subject of a deed is called; null if it has none. `names` has the names of the lights, groups, scenes, schedules
 * and shows: of each kind a Map by id.
 */
export function nameOf({ what, subject, detail }, names) {
  if (what === 'save_scene') return detail.name; // its subject can be the group whose lights it has
  const kind = OF_SEVERAL.find((several) => several.slice(0, -1) in detail) ?? `${what.split('_').at(-1)}s`;
  const kinds = kind === 'lights' ? [kind, ...OF_SEVERAL] : [kind]; // older rows do not say which
  if (subject === 'all' && kinds.includes('groups')) return t('deed_all_lights');
  const found = kinds.map((one) => names[one]?.get(subject)).find(Boolean);
  return found ?? subject ?? detail.name ?? detail.title ?? null;
}

/** The deed as a sentence; `name` is what its subject is called. */
export function sentence({ what, who, outcome, detail }, name) {
  const values = { who: who ?? t('deed_somebody'), name: name ?? t('deed_lights') };
  if (outcome === 'refused') return refusal(what, values.who);
  if (what === 'set_light') return t(...change(detail, values));
  if (what === 'undo_light') name ??= t('deed_lights');
  const subject = !ABOUT_THEMSELVES.includes(what) && name ? ` ${name}` : '';
  if (language === 'zh') return `${values.who}：${CHINESE[what] ?? what}${subject}`;
  return `${values.who} ${ENGLISH[what]?.[0] ?? what}${subject}`;
}

function refusal(what, who) {
  return what === 'sign_in' ? t('deed_failed', { who }) : t('deed_not_allowed', { who, act: actOf(what) ?? what });
}

/** What somebody was not allowed to do; null where there are no words for it. */
function actOf(what) {
  const claim = CLAIM.exec(what);
  if (claim) return `${actOf('claim_name')} ${claim[1]}`;
  if (ADDRESS.test(what)) return t('deed_use', { what });
  const [refused, inChinese] = REFUSED[what] ?? [];
  if (language === 'zh') return CHINESE[what]?.replace(/：$/, '') ?? inChinese ?? null;
  return ENGLISH[what]?.[1] ?? refused ?? null;
}

function change({ level, on, effect, flash, step }, values) {
  if (effect && effect !== 'none') return ['deed_set', { ...values, look: t(`effect_${effect}`) }];
  if (level !== undefined) return ['deed_set', { ...values, look: `${level} %` }];
  if (step !== undefined) return ['deed_change', values];
  if (on !== undefined) return [on ? 'deed_on' : 'deed_off', values];
  return [flash ? 'deed_flash' : 'deed_change', values];
}
