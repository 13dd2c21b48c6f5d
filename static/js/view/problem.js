// A refusal of the panel in the language of the page.
//
// The panel writes English. In Chinese, the title and the detail come from the table below, by the type of the problem.
// Where the table has no detail, the English one is shown in small print.

import { language, t } from '../words.js';
import { make, write } from './dom.js';

const LEVEL = '亮度是 0 到 100 的整数。';
const LATER = '请稍后再试。';
const waiting = ({ retry_after }) => `请在 ${Math.ceil(retry_after ?? 1)} 秒后再试。`;
/** The detail for the field that was refused, else that of `other`. */
const byField = (details) => ({ errors }) => details[errors?.[0]?.field] ?? details.other;

// By the last part of the type: the title, and the detail or a function of the problem that returns it.
const CHINESE = {
  refused: ['面板拒绝了请求'],
  'malformed-json': ['这不是 JSON'],
  'bad-command': ['面板不认识这条命令', byField({ password: '密码要有 8 到 128 个字符。' })],
  'bad-level': ['这不是亮度', LEVEL],
  'level-missing': ['没有给出亮度', LEVEL],
  'level-not-an-integer': ['亮度不是整数', LEVEL],
  'level-out-of-range': ['亮度超出范围', LEVEL],
  'unknown-light': ['没有这盏灯', '它已不在设置中。请重新加载页面。'],
  'unknown-group': ['没有这个分组', '它可能已被删除。请重新加载页面。'],
  'unknown-scene': ['没有这个场景', '它可能已被删除。请重新加载页面。'],
  'unknown-schedule': ['没有这个定时', '它可能已被删除。请重新加载页面。'],
  'pin-taken': ['这个引脚不可用', '另一盏灯正在使用它。请选择空闲的引脚。'],
  'light-fixed': ['这盏灯由设置文件管理', '请在面板的设置文件中更改。'],
  'name-in-use': ['名称已被使用', '请换一个名称。'],
  'nothing-to-undo': ['没有可以撤销的更改', '面板启动后，这盏灯没有更改过。'],
  'light-offline': ['这盏灯离线', '引脚现在无法驱动，灯没有改变。面板会自动重试。'],
  'too-large': ['内容太大', byField({ msg: '消息太长，请缩短后再发送。' })],
  'too-many': [
    '数量太多',
    byField({
      room: '房间太多。请先离开一个房间，或加入已有的房间。',
      run: '同时查看的任务太多。请先关闭一个。',
      name: '面板记住的名字太多，不能再加入新的名字。',
    }),
  ],
  'too-fast': ['太快了', waiting],
  'not-found': ['这里什么也没有', '请检查网址。'],
  'method-not-allowed': ['这里不能用这个方法'],
  'unsupported-media-type': ['这里不接受这种内容类型'],
  'bad-engine-request': ['这不是有效的 Engine.IO 请求'],
  'unknown-engine-session': ['没有这个 Engine.IO 会话', '请重新连接。'],
  'foreign-origin': ['不允许来自这个网站的请求', '请在设置 cors_origins 中加入这个网站。'],
  'name-needed': ['请先说明你是谁', '请输入名字。'],
  'bad-name': [
    '这不能用作名字',
    byField({
      room: '这不能用作房间名称。名称不能为空或太长，不能含有看不见的字符，也不能与已有的房间相似。',
      other: '这不能用作名字。名字不能为空或太长，不能含有看不见的字符，也不能与已有的名字相似。',
    }),
  ],
  'unknown-person': ['没有叫这个名字的人', '没有叫这个名字的人。请检查名字。'],
  'unknown-room': ['没有这个房间', '没有这个房间。请从列表中选择，或创建新房间。'],
  'unknown-run': ['没有这个任务', '它可能已被删除。请从列表中选择。'],
  'run-ended': ['这个任务已经结束', '请启动新的任务。'],
  'no-producer': ['没有程序接收控制信号', '执行这个任务的程序没有连接，只能查看。'],
  'run-of-show': ['这个任务由面板自己执行', '它只接收控制信号。'],
  'lines-missing': ['前面的日志行缺失'],
  'no-answer': ['执行任务的程序没有回应', LATER],
  'bad-show': ['这不是灯光秀'],
  'unknown-show': ['没有这个灯光秀', '请重新加载页面。'],
  'show-running': ['这个灯光秀正在运行', '请先停止它，再重新开始。'],
  'sign-in-needed': ['需要登录', '请在“权限”页登录。'],
  'sign-in-failed': [
    '登录失败',
    byField({
      pin: 'PIN 不对。在面板所在的机器上运行 pilotlight pin 可以看到它。',
      password: '密码不对，或不能在这台机器上验证。',
      other: '令牌或登录已失效。请重新登录。',
    }),
  ],
  'not-allowed': ['你的权限不够', '你的权限不够。请在“权限”页以更高的权限登录。'],
  'name-taken': ['这个名字已属于别人', '这个名字已属于别人。请用此名字登录，或换一个名字。'],
  'unknown-session': ['没有这个登录', '这个登录已经结束。请重新加载页面。'],
  'secrets-unreadable': ['现在无法登录', '面板读不到密钥文件。请稍后再试，或查看面板的日志。'],
  'unclaimed-name': ['这个名字不属于任何人', '这个名字不属于任何人，无需释放。'],
  'unknown-token': ['没有这个令牌', '这个令牌已被撤销。请重新加载页面。'],
  'too-many-tries': ['错误尝试太多', (problem) => `错误尝试太多。${waiting(problem)}`],
  'wrong-host': ['面板不使用这个名称'],
  full: ['面板的连接已满', '面板的连接已满。请稍后再试。'],
  'bad-request': ['这不是有效的请求'],
  'target-too-long': ['网址太长'],
  'head-too-large': ['请求头太大'],
  'websocket-version': ['不支持这个 WebSocket 版本'],
  'request-timeout': ['请求来得太慢', LATER],
  'too-much-unread': ['未读内容太多', '请关闭一些页面后再试。'],
  'too-many-connections': ['来自此地址的连接太多', '来自此地址的连接太多。请关闭一些页面后再试。'],
  'not-stored': ['面板现在无法保存', '没有保存任何内容。请检查面板的存储空间。'],
  restarting: ['面板正在重新启动', '面板正在重新启动，请稍后再试。'],
  'internal-error': ['面板出错了', '面板出错了，它的日志中有更多信息。'],
  setup: ['面板无法启动'],
};

/**
 * `{title, detail, foreign}` of a problem of the panel or of this page; null is no answer at all.
 *
 * `foreign` is whether the detail is English on a page that is not.
 */
export function inWords(problem) {
  if (problem === null) return { title: t('unanswered'), detail: t('lost_answer'), foreign: false };
  const { type = '', title = t('refused'), detail = '' } = problem;
  const own = language === 'zh' && CHINESE[type.split(':').at(-1)];
  if (!own) return { title, detail, foreign: false };
  const words = typeof own[1] === 'function' ? own[1](problem) : own[1];
  return { title: own[0], detail: words ?? detail, foreign: words === undefined };
}

/** A problem as one line. */
export function lineOf(problem) {
  const { title, detail, foreign } = inWords(problem);
  return foreign ? `${title}。${t('details')}${detail}` : detail;
}

/** Write a problem into the element, a foreign detail in small print. */
export function renderProblem(element, problem) {
  const { title, detail, foreign } = inWords(problem);
  if (!foreign) write(element, detail);
  else if (element.textContent !== lineOf(problem)) {
    element.replaceChildren(`${title}。${t('details')}`, make('small', { lang: 'en' }, detail));
  }
}
