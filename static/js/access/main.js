// The Access page: sign in and out, the name of this person; for admins tokens, names and the log of actions.

import './words.js';

import { learnMe } from '../me.js';
import { remember } from '../remember.js';
import { Choice } from '../view/choice.js';
import { make, onSubmit } from '../view/dom.js';
import { lineOf } from '../view/problem.js';
import { ago, t, translate } from '../words.js';

const PAGE = 30; // rows of the trail
const ROLES = ['viewer', 'operator', 'admin'];

const part = (id) => document.getElementById(id);
let me = null;

// --- the panel ---------------------------------------------------------------------------------------------

/** Send a request; returns the answer. Throws an Error with the words of a refusal. */
async function call(method, path, body) {
  const options = body && { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } };
  let response;
  try {
    response = await fetch(path, { method, cache: 'no-store', ...options });
  } catch {
    throw new Error(t('access_failed'));
  }
  const data = await response.json();
  if (!response.ok) throw new Error(lineOf(data));
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

/** An item of a list: what it is, more about it in small print, and a button for what one can do with it. */
function entry(what, more, action = null) {
  const name = make('span', { className: 'entry-what' }, what);
  const details = make('span', { className: 'entry-more' }, more.filter(Boolean).join(' · '));
  const line = make('li', {}, make('div', { className: 'entry' }, name, details));
  if (action) {
    const button = make('button', { type: 'button', className: 'button', ariaLabel: action.label }, action.word);
    button.addEventListener('click', action.act);
    line.append(button);
  }
  return line;
}

/** Send the form with `send(fields)`; a refusal is shown in the form. */
function sendForm(form, send) {
  const problem = form.querySelector('.form-problem');
  onSubmit(form, async () => {
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

sendForm(part('pin-form'), ({ secret }) => {
  const text = secret.trim();
  return call('POST', '/access/sign-in', text.startsWith('plt_') ? { token: text } : { pin: text });
});

sendForm(part('name-form'), async ({ name, password }) => {
  const signedIn = await call('POST', '/access/sign-in', { name, password });
  remember('name', signedIn.name); // this browser uses the name from now on
});

let wantedRole = 'operator';
const roles = new Choice(
  part('token-role'),
  ROLES.map((role) => ({ value: role, label: t(`access_role_${role}`) })),
  (role) => (wantedRole = role),
);
roles.render(wantedRole);

part('token-form').addEventListener('reset', () => queueMicrotask(() => roles.render(wantedRole)));
sendForm(part('token-form'), async ({ label, name }) => {
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
