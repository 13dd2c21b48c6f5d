// The refusals of the panel, and its reasons, in Chinese. Pages in English do not load this.

const LEVEL = '亮度是 0 到 100 的整数。';
const LATER = '请稍后再试。';
const waiting = ({ retry_after }) => `请在 ${Math.ceil(retry_after ?? 1)} 秒后再试。`;
/** The detail for the field that was refused, else that of `other`; a function gets the problem. */
const byField = (details) => (problem) => {
  const found = details[problem.errors?.[0]?.field] ?? details.other;
  return typeof found === 'function' ? found(problem) : found;
};
/** The panel says the size and the limit, in bytes. */
const tooLong = ({ detail = '' }) => {
  const [size, most] = detail.match(/\d+/g) ?? [];
  return most ? `消息有 ${size} 字节，最多 ${most} 字节。请缩短后再发送。` : '消息太长，请缩短后再发送。';
};

function badCommand({ errors }) {
  const field = errors?.[0]?.field;
  if (field === 'password') return '密码要有 8 到 128 个字符。';
  return field ? `“${field}”的值不正确。` : undefined;
}

// By the last part of the type: the title, and the detail or a function of the problem that returns it.
export const CHINESE = {
  refused: ['面板拒绝了请求'],
  'malformed-json': ['这不是 JSON', '请检查括号、引号和逗号。'],
  'bad-command': ['面板不认识这条命令', badCommand],
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
  'too-large': ['内容太大', byField({ msg: tooLong })],
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
  'method-not-allowed': ['这里不能用这个方法', '请查看 API 页，了解这个网址支持的方法。'],
  'unsupported-media-type': ['这里不接受这种内容类型', '请发送 JSON。'],
  'bad-engine-request': ['这不是有效的 Engine.IO 请求', '请使用 Engine.IO 客户端。'],
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
  'unknown-message': ['没有这条消息', '没有这条消息，它可能已被删除。'],
  'not-yours': ['这条消息是别人写的', '你只能更改自己的消息。'],
  'unknown-room': ['没有这个房间', '没有这个房间。请从列表中选择，或创建新房间。'],
  'unknown-run': ['没有这个任务', '它可能已被删除。请从列表中选择。'],
  'run-ended': ['这个任务已经结束', '请启动新的任务。'],
  'run-goes-on': ['这个任务还没有结束', '请先停止它，再删除。'],
  'no-producer': ['没有程序接收控制信号', '执行这个任务的程序没有连接，只能查看。'],
  'run-of-show': ['这个任务由面板自己执行', '它只接收控制信号。'],
  'lines-missing': ['前面的日志行缺失', '请先发送缺失的行。'],
  'no-answer': ['执行任务的程序没有回应', LATER],
  'bad-show': ['这不是灯光秀'],
  'unknown-show': ['没有这个灯光秀', '请重新加载页面。'],
  'show-fixed': ['这个灯光秀不能更改', '它来自文件或面板自带。请先复制，再更改副本。'],
  'show-running': ['这个灯光秀正在运行', '请先停止它，再重新开始。'],
  'sign-in-needed': ['需要登录', '请在“成员与权限”页登录。'],
  'sign-in-failed': [
    '登录失败',
    byField({
      pin: 'PIN 不对。在面板所在的机器上运行 pilotlight pin 可以看到它。',
      password: '密码不对，或不能在这台机器上验证。',
      other: '令牌或登录已失效。请重新登录。',
    }),
  ],
  'not-allowed': ['你的权限不够', '你的权限不够。请在“成员与权限”页以更高的权限登录。'],
  'name-taken': ['这个名字已属于别人', '这个名字已属于别人。请用此名字登录，或换一个名字。'],
  'unknown-session': ['没有这个登录', '这个登录已经结束。请重新加载页面。'],
  'secrets-unreadable': ['现在无法登录', '面板读不到密钥文件。请稍后再试，或查看面板的日志。'],
  'unclaimed-name': ['这个名字不属于任何人', '这个名字不属于任何人，无需释放。'],
  'unknown-token': ['没有这个令牌', '这个令牌已被撤销。请重新加载页面。'],
  'too-many-tries': ['错误尝试太多', (problem) => `错误尝试太多。${waiting(problem)}`],
  'wrong-host': ['面板不使用这个名称', '请用面板的地址打开，或在设置 hosts 中加入这个名称。'],
  full: ['面板的连接已满', '面板的连接已满。请稍后再试。'],
  'bad-request': ['这不是有效的请求', '请检查请求的格式。'],
  'target-too-long': ['网址太长', '请缩短网址。'],
  'head-too-large': ['请求头太大', '请清除此网站的 Cookie 后再试。'],
  'websocket-version': ['不支持这个 WebSocket 版本', '请使用版本 13。'],
  'request-timeout': ['请求来得太慢', LATER],
  'too-much-unread': ['未读内容太多', '请关闭一些页面后再试。'],
  'too-many-connections': ['来自此地址的连接太多', '来自此地址的连接太多。请关闭一些页面后再试。'],
  'not-stored': ['面板现在无法保存', '没有保存任何内容。请检查面板的存储空间。'],
  restarting: ['面板正在重新启动', '面板正在重新启动，请稍后再试。'],
  'internal-error': ['面板出错了', '面板出错了，它的日志中有更多信息。'],
  setup: ['面板无法启动'],
};

// The parts of the reasons for which lights are offline or pins were chosen, and what stands for them. What the libraries of
// the pins say themselves stays English.
export const REASONS = [
  [/^the panel is starting$/, '面板正在启动'],
  [/^the panel is stopping$/, '面板正在停止'],
  [/^simulated pins were asked for$/, '按设置使用模拟引脚'],
  [/no GPIO here: this is no Raspberry Pi, and /, '这里没有 GPIO：这台机器不是树莓派；'],
  [/asked for; at start /, '按设置选用；启动时：'],
  [/: lgpio drives its pins, since pigpio does not support this board/, '：引脚由 lgpio 驱动，因为 pigpio 不支持这块板'],
  [/: at start (.+), so lgpio$/, '：启动时$1，所以使用 lgpio'],
  [/: at start (.+), and /, '：启动时$1；'],
  [/the GPIO device was there/, 'GPIO 设备存在'],
  [/pigpiod does not answer at (\S+)/, '$1 上的 pigpiod 没有响应'],
  [/pigpiod answered at (\S+)/, '$1 上的 pigpiod 有响应'],
  [/pigpiod at (\S+) accepts connections and does not answer/, '$1 上的 pigpiod 接受连接，但没有响应'],
  [/pigpiod at (\S+) stopped answering/, '$1 上的 pigpiod 不再响应'],
  [/pigpiod at (\S+) is gone/, '$1 上的 pigpiod 已断开'],
  [/the server at (\S+) is not pigpiod/, '$1 上的程序不是 pigpiod'],
  [/ \(Connection refused\)/, '（连接被拒绝）'],
  [/ \(No route to host\)/, '（无法到达这台机器）'],
  [/ \((?:Name or service not known|No address associated with hostname)\)/, '（没有这个名称的机器）'],
  [/^(\w+) hangs: no answer for (\S+) s$/, '$1 没有响应，已等了 $2 秒'],
  [/the lgpio library is not installed/, '没有安装 lgpio 库'],
  [/there is no (\S+) device/, '没有设备 $1'],
  [/no permission to use (\S+)/, '没有使用 $1 的权限'],
  [/lgpio cannot make its pipe in (\S+) \((.+)\): start the panel in a directory that you may write to/, 'lgpio 无法在 $1 中建立管道（$2）。请在可写的目录中启动面板'],
  [/^(\S+) is away: it has given no sign of life for (\d+) s\.$/, '$1 不在：已有 $2 秒没有消息。'],
  [/^(\S+) has been stopped\.$/, '$1 已停止运行。'],
];
