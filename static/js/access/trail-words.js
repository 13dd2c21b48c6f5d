// What somebody did, as a sentence in each language.

import { addWords, language, t } from '../words.js';

// By the name of the action: what somebody did, and what they were not allowed to do. The subject follows.
const ENGLISH = {
  undo_light: ['undid the last change of', 'undo the last change of'],
  add_light: ['added the light', 'add a light'],
  change_light: ['changed the settings of', 'change the settings of'],
  remove_light: ['removed the light', 'remove the light'],
  order_lights: ['changed the order of the lights', 'change the order of the lights'],
  order_groups: ['changed the order of the groups', 'change the order of the groups'],
  save_group: ['saved the group', 'save the group'],
  rename_group: ['renamed the group', 'rename the group'],
  delete_group: ['deleted the group', 'delete the group'],
  save_scene: ['saved the scene', 'save the scene'],
  rename_scene: ['renamed the scene', 'rename the scene'],
  delete_scene: ['deleted the scene', 'delete the scene'],
  recall_scene: ['recalled the scene', 'recall the scene'],
  save_schedule: ['added the schedule', 'add the schedule'],
  change_schedule: ['changed the schedule', 'change the schedule'],
  skip_schedule: ['skipped a time of the schedule', 'skip a time of the schedule'],
  delete_schedule: ['deleted the schedule', 'delete the schedule'],
  start_show: ['started the show', 'start the show'],
  save_show: ['saved the show', 'save the show'],
  delete_show: ['deleted the show', 'delete the show'],
  try_show: ['tried the show', 'try the show'],
  start_run: ['started the run', 'start the run'],
  end_run: ['ended the run', 'end the run'],
  pin_run: ['pinned the run', 'pin the run'],
  delete_run: ['deleted the run', 'delete the run'],
  signal_run: ['sent a signal to the run', 'send a signal to the run'],
  sign_in: ['signed in', 'sign in'],
  sign_out: ['signed out', 'sign out'],
  make_code: ['made a QR code', 'make a QR code'],
  claim_name: ['claimed the name', 'claim the name'],
  release_name: ['gave up the name', 'give up the name'],
  add_token: ['created the token', 'create the token'],
  revoke_token: ['revoked the token', 'revoke the token'],
  end_session: ['ended the session of', 'end the session of'],
};
const CHINESE = {
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
  sign_in: '登录',
  sign_out: '退出登录',
  make_code: '生成二维码',
  claim_name: '注册名字',
  release_name: '放弃名字',
  add_token: '创建令牌',
  revoke_token: '撤销令牌',
  end_session: '结束登录：',
};
const ABOUT_THEMSELVES = ['sign_in', 'sign_out', 'make_code'];

addWords({
  en: {
    deed_somebody: 'Somebody',
    deed_failed: ({ who }) => `${who} failed to sign in`,
    deed_set: ({ who, name, look }) => `${who} set ${name} to ${look}`,
    deed_on: ({ who, name }) => `${who} switched ${name} on`,
    deed_off: ({ who, name }) => `${who} switched ${name} off`,
    deed_flash: ({ who, name }) => `${who} flashed ${name}`,
    deed_change: ({ who, name }) => `${who} changed ${name}`,
    deed_not_set: ({ who, name }) => `${who} was not allowed to set ${name}`,
  },
  zh: {
    deed_somebody: '有人',
    deed_failed: ({ who }) => `${who}登录失败`,
    deed_set: ({ who, name, look }) => `${who}将${name}设为${look}`,
    deed_on: ({ who, name }) => `${who}打开了${name}`,
    deed_off: ({ who, name }) => `${who}关闭了${name}`,
    deed_flash: ({ who, name }) => `${who}让${name}闪烁`,
    deed_change: ({ who, name }) => `${who}更改了${name}`,
    deed_not_set: ({ who, name }) => `${who}无权设置${name}`,
  },
});

/** Whether `sentence` says all of it. */
export function knows({ what }) {
  return what === 'set_light' || what in ENGLISH;
}

/** The deed as a sentence; `name` is what its subject is called. */
export function sentence({ what, who, outcome, detail }, name) {
  const values = { who: who ?? t('deed_somebody'), name: name ?? t('lights').toLowerCase() };
  const refused = outcome === 'refused';
  if (what === 'sign_in' && refused) return t('deed_failed', values);
  if (what === 'set_light') return refused ? t('deed_not_set', values) : t(...change(detail, values));
  const subject = (!ABOUT_THEMSELVES.includes(what) && name) || '';
  if (language === 'zh') return `${values.who}${refused ? '无权' : '：'}${CHINESE[what] ?? ` ${what}`}${subject && ` ${subject}`}`;
  const [did, may] = ENGLISH[what] ?? [what, what];
  return `${values.who} ${refused ? `was not allowed to ${may}` : did}${subject && ` ${subject}`}`;
}

function change({ level, on, effect, flash, step }, values) {
  if (effect && effect !== 'none') return ['deed_set', { ...values, look: t(`effect_${effect}`) }];
  if (level !== undefined) return ['deed_set', { ...values, look: `${level} %` }];
  if (step !== undefined) return ['deed_change', values];
  if (on !== undefined) return [on ? 'deed_on' : 'deed_off', values];
  return [flash ? 'deed_flash' : 'deed_change', values];
}
