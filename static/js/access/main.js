// The page of who gets in: signing in and out, this person's name, and for admins the tokens, names and the trail.

import { learnMe } from '../me.js';
import { remember } from '../remember.js';
import { Choice } from '../view/choice.js';
import { addWords, ago, t, translate } from '../words.js';

const PAGE = 30; // rows of the trail
const ROLES = ['viewer', 'operator', 'admin'];

addWords({
  en: {
    access_you: 'You',
    access_may_nobody: 'You are not signed in, and may see nothing from here.',
    access_may_viewer: 'You may look.',
    access_may_operator: 'You may look, move the lights, talk, and run things.',
    access_may_admin: 'You may do everything.',
    access_how: ({ how, address }) => `${how}, from ${address}`,
    access_how_loopback: 'As this machine',
    access_how_network: 'As a device in the local network',
    access_how_elsewhere: 'As a device outside the local network',
    access_how_pin: 'Signed in with the PIN',
    access_how_token: ({ label }) => `Signed in with the token “${label}”`,
    access_as: ({ name }) => `Your name is ${name}.`,
    access_sign_in: 'Sign in',
    access_sign_out: 'Sign out',
    access_pin: 'PIN, or a token',
    access_pin_how: 'The panel printed the PIN when it was started; on its machine, “pilotlight pin” shows it.',
    access_name: 'Your name',
    access_name_how: 'A name with a password is yours: nobody else speaks under it or reads what was sent to it.',
    access_name_field: 'Name',
    access_password: 'Password',
    access_name_take: 'Sign in with it',
    access_release: 'Release',
    access_release_sure: ({ name }) => `Release ${name}? Anybody can have the name then, and what was sent to it.`,
    access_sessions: 'Signed in',
    access_sessions_how: 'The browsers that are signed in. Ending one ends it wherever its cookie was copied to.',
    access_no_sessions: 'No browser is signed in.',
    access_session_this: 'this browser',
    access_session_end: 'End',
    access_session_end_sure: ({ device }) => `End the session of ${device}? It is out at once.`,
    access_how_name: 'Signed in with a name',
    access_name_lost: 'its password was lost with the panel’s secrets: nobody has the name until you release it',
    access_tokens: 'Tokens',
    access_tokens_how: 'Programs sign in with them. A token is shown once, when it is made.',
    access_token_for: 'What it is for',
    access_token_example: 'Hall switch',
    access_token_name: 'It speaks as',
    access_token_name_example: 'Nobody in particular',
    access_role: 'It may',
    access_role_viewer: 'Look',
    access_role_operator: 'Control',
    access_role_admin: 'Everything',
    access_token_make: 'Make a token',
    access_token_once: 'This is it. It is not shown again.',
    access_revoke: 'Revoke',
    access_revoke_sure: ({ label }) => `Revoke “${label}”? What uses it is out at once.`,
    access_names: 'Claimed names',
    access_no_names: 'No name belongs to anybody yet.',
    access_trail: 'What was done',
    access_no_trail: 'Nothing yet that the trail keeps.',
    access_trail_more: 'Earlier',
    access_refused: 'refused',
    access_times: ({ times }) => `${times} times`,
    access_failed: 'The panel does not answer.',
  },
  zh: {
    access_you: '你',
    access_may_nobody: '你尚未登录，从这里看不到任何内容。',
    access_may_viewer: '你可以查看。',
    access_may_operator: '你可以查看、控制灯光、聊天和运行任务。',
    access_may_admin: '你可以做任何事。',
    access_how: ({ how, address }) => `${how}，地址 ${address}`,
    access_how_loopback: '本机',
    access_how_network: '本地网络中的设备',
    access_how_elsewhere: '本地网络之外的设备',
    access_how_pin: '已用 PIN 登录',
    access_how_token: ({ label }) => `已用令牌“${label}”登录`,
    access_as: ({ name }) => `你的名字是 ${name}。`,
    access_sign_in: '登录',
    access_sign_out: '退出登录',
    access_pin: 'PIN 或令牌',
    access_pin_how: '面板启动时会显示 PIN；在面板所在的机器上运行 “pilotlight pin” 也能看到。',
    access_name: '你的名字',
    access_name_how: '设了密码的名字归你所有：别人不能用它发言，也看不到发给它的消息。',
    access_name_field: '名字',
    access_password: '密码',
    access_name_take: '用它登录',
    access_release: '放弃',
    access_release_sure: ({ name }) => `放弃 ${name}？之后任何人都能使用这个名字，并看到发给它的消息。`,
    access_sessions: '已登录',
    access_sessions_how: '已登录的浏览器。结束后，即使 Cookie 被复制到别处也会失效。',
    access_no_sessions: '没有已登录的浏览器。',
    access_session_this: '此浏览器',
    access_session_end: '结束',
    access_session_end_sure: ({ device }) => `结束 ${device} 的登录？它会立即断开。`,
    access_how_name: '已用名字登录',
    access_name_lost: '密码已随面板的密钥文件丢失：在你放弃它之前，没有人拥有这个名字',
    access_tokens: '令牌',
    access_tokens_how: '程序用它登录。令牌只在创建时显示一次。',
    access_token_for: '用途',
    access_token_example: '走廊开关',
    access_token_name: '它的名字',
    access_token_name_example: '不指定',
    access_role: '权限',
    access_role_viewer: '查看',
    access_role_operator: '控制',
    access_role_admin: '全部',
    access_token_make: '创建令牌',
    access_token_once: '这就是令牌，不会再次显示。',
    access_revoke: '撤销',
    access_revoke_sure: ({ label }) => `撤销“${label}”？使用它的程序会立即断开。`,
    access_names: '已占用的名字',
    access_no_names: '还没有名字被占用。',
    access_trail: '操作记录',
    access_no_trail: '还没有记录。',
    access_trail_more: '更早',
    access_refused: '被拒绝',
    access_times: ({ times }) => `${times} 次`,
    access_failed: '面板没有回应。',
  },
});

const part = (id) => document.getElementById(id);
let me = null;

// --- the panel ---------------------------------------------------------------------------------------------

/** Ask it; what it refuses is an error with its words. */
async function call(method, path, body) {
  const options = body && { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } };
  let response;
  try {
    response = await fetch(path, { method, cache: 'no-store', ...options });
  } catch {
    throw new Error(t('access_failed'));
  }
  const data = await response.json();
  if (!response.ok) throw new Error(data.detail);
  return data;
}

async function refresh() {
  me = await learnMe();
  if (me) renderMe();
  part('for-admins').hidden = me?.role !== 'admin';
  part('sessions-tile').hidden = !me?.signed_in && me?.role !== 'admin';
  if (!part('sessions-tile').hidden) await refreshSessions();
  if (me?.role === 'admin') await Promise.all([refreshTokens(), refreshNames(), refreshTrail()]);
}

async function refreshSessions() {
  const { sessions } = await call('GET', '/access/sessions');
  part('no-sessions').hidden = sessions.length > 0;
  part('sessions').replaceChildren(
    ...sessions.map(({ id, device, address, how, name, at, current }) => {
      const what = current ? `${device} · ${t('access_session_this')}` : device;
      return entry(what, [name, howInWords(how), address, ago(at, Date.now() / 1000)], {
        word: t('access_session_end'),
        label: `${t('access_session_end')}: ${device}, ${address}`,
        act: async () => {
          if (!confirm(t('access_session_end_sure', { device }))) return;
          await call('DELETE', `/access/sessions/${id}`);
          await refresh();
        },
      });
    }),
  );
}

function howInWords(how) {
  const label = how.startsWith('token ') ? how.slice('token '.length) : null;
  return label === null ? t(`access_how_${how}`) : t('access_how_token', { label });
}

async function refreshTokens() {
  const { tokens } = await call('GET', '/access/tokens');
  part('tokens').replaceChildren(
    ...tokens.map(({ id, label, role, name, at }) =>
      entry(label, [t(`access_role_${role}`), name, ago(at, Date.now() / 1000)], {
        word: t('access_revoke'),
        label: `${t('access_revoke')}: ${label}`,
        act: async () => {
          if (!confirm(t('access_revoke_sure', { label }))) return;
          await call('DELETE', `/access/tokens/${id}`);
          await refresh();
        },
      }),
    ),
  );
}

async function refreshNames() {
  const { names } = await call('GET', '/access/names');
  part('no-names').hidden = names.length > 0;
  part('names').replaceChildren(
    ...names.map(({ name, at, lost }) =>
      entry(name, [lost ? t('access_name_lost') : ago(at, Date.now() / 1000)], {
        word: t('access_release'),
        label: `${t('access_release')}: ${name}`,
        act: () => release(name),
      }),
    ),
  );
}

async function release(name) {
  if (!confirm(t('access_release_sure', { name }))) return;
  await call('POST', `/access/names/${encodeURIComponent(name)}/release`);
  await refresh();
}

async function refreshTrail(before = null) {
  const { audit, more } = await call('GET', `/audit?limit=${PAGE}${before ? `&before=${before}` : ''}`);
  const rows = audit.map((deed) => {
    const what = [deed.what, deed.subject, inWords(deed.detail)].filter(Boolean).join(' · ');
    const times = deed.times > 1 ? t('access_times', deed) : '';
    const refused = deed.outcome === 'refused' ? t('access_refused') : '';
    const made = entry(what, [refused, deed.who, deed.address, deed.how, times, ago(deed.at, Date.now() / 1000)]);
    made.dataset.outcome = deed.outcome;
    return made;
  });
  part('no-trail').hidden = before !== null || rows.length > 0;
  if (before) part('trail').append(...rows);
  else part('trail').replaceChildren(...rows);
  part('more-trail').hidden = !more;
  part('more-trail').onclick = () => refreshTrail(audit.at(-1).id);
}

function inWords(detail) {
  return Object.entries(detail)
    .map(([name, value]) => `${name} ${typeof value === 'object' ? JSON.stringify(value) : value}`)
    .join(', ');
}

// --- the page ----------------------------------------------------------------------------------------------

function renderMe() {
  const box = document.querySelector('.me');
  box.setAttribute('aria-busy', 'false');
  const how = howInWords(me.how);
  const named = me.name ? ` ${t('access_as', me)}` : '';
  box.querySelector('.me-may').textContent = t(`access_may_${me.role}`) + named;
  box.querySelector('.me-how').textContent = t('access_how', { how, address: me.address });
  part('sign-out').hidden = !me.signed_in;
  part('release').hidden = !me.name;
}

/** A line of a list: what it is, more about it in small, and what can be done to it. */
function entry(what, more, action = null) {
  const line = document.createElement('li');
  const text = Object.assign(document.createElement('div'), { className: 'entry' });
  text.append(
    Object.assign(document.createElement('span'), { className: 'entry-what', textContent: what }),
    Object.assign(document.createElement('span'), {
      className: 'entry-more',
      textContent: more.filter(Boolean).join(' · '),
    }),
  );
  line.append(text);
  if (action) {
    const button = Object.assign(document.createElement('button'), {
      type: 'button',
      className: 'button',
      textContent: action.word,
      ariaLabel: action.label,
    });
    button.addEventListener('click', action.act);
    line.append(button);
  }
  return line;
}

/** Send a form with `send(fields)`; what is refused stands in the form. Until now its button did nothing, and said so. */
function onSubmit(form, send) {
  form.querySelector('button:not([type])').disabled = false;
  const problem = form.querySelector('.form-problem');
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    problem.textContent = '';
    try {
      await send(Object.fromEntries(new FormData(form)));
      form.reset();
      await refresh();
    } catch (error) {
      problem.textContent = error.message;
    }
  });
}

translate(part('access'));

onSubmit(part('pin-form'), ({ secret }) => {
  const text = secret.trim();
  return call('POST', '/access/sign-in', text.startsWith('plt_') ? { token: text } : { pin: text });
});

onSubmit(part('name-form'), async ({ name, password }) => {
  const signedIn = await call('POST', '/access/sign-in', { name, password });
  remember('name', signedIn.name); // what this browser does from now on, it does under this name
});

let wantedRole = 'operator';
const roles = new Choice(
  part('token-role'),
  ROLES.map((role) => ({ value: role, label: t(`access_role_${role}`) })),
  (role) => (wantedRole = role),
);
roles.render(wantedRole);

part('token-form').addEventListener('reset', () => queueMicrotask(() => roles.render(wantedRole)));
onSubmit(part('token-form'), async ({ label, name }) => {
  const { token } = await call('POST', '/access/tokens', { label, role: wantedRole, name: name.trim() || null });
  part('made').hidden = false;
  part('made').querySelector('code').textContent = token;
});

part('sign-out').addEventListener('click', async () => {
  await call('POST', '/access/sign-out');
  await refresh();
});
part('release').addEventListener('click', () => release(me.name));

refresh();
