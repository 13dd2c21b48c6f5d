// The Access page: sign in and out, the name of this person; for admins tokens, names and the log of actions.

import { panelNow } from '../clock.js';
import { learnMe } from '../me.js';
import { remember } from '../remember.js';
import { ROOT } from '../root.js';
import { SignInForm, WHERE, signedIn } from '../sign-in.js';
import { Choice } from '../view/choice.js';
import { copyOnClick } from '../view/copy.js';
import { onSubmit } from '../view/dom.js';
import { lineOf } from '../view/problem.js';
import { ago, t, translate } from '../words.js';
import { entry } from './entry.js';
import { PhoneTile } from './phone.js';
import { Trail } from './trail.js';
import { howInWords } from './words.js';

const ROLES = ['viewer', 'operator', 'admin'];

const part = (id) => document.getElementById(id);
let me = null;

// --- the panel ---------------------------------------------------------------------------------------------

/** Send a request; returns the answer. Throws an Error with the words of a refusal. */
async function call(method, path, body) {
  const options = body && { body: JSON.stringify(body), headers: { 'Content-Type': 'application/json' } };
  let response;
  let data;
  try {
    response = await fetch(ROOT + path, { method, cache: 'no-store', ...options });
    data = await response.json();
  } catch {
    throw new Error(t('access_failed'));
  }
  if (!response.ok) throw new Error(lineOf(data));
  return data;
}

/** Run `act()`; why it failed is said below the heading. */
async function attempt(act) {
  part('failed').textContent = '';
  try {
    await act();
  } catch (error) {
    part('failed').textContent = error.message;
  }
}

async function refresh() {
  await attempt(show);
  delete document.body.dataset.waits; // base.css
}

async function show() {
  me = await learnMe();
  if (me) renderMe();
  if (me) phone.render(me);
  part('for-admins').hidden = me?.role !== 'admin';
  part('sessions-tile').hidden = !me?.signed_in && me?.role !== 'admin';
  if (!part('sessions-tile').hidden) await refreshSessions();
  if (me?.role === 'admin') await Promise.all([refreshTokens(), refreshNames(), trail.refresh()]);
}

async function refreshSessions() {
  const { sessions } = await call('GET', '/access/sessions');
  part('no-sessions').hidden = sessions.length > 0;
  part('sessions').replaceChildren(
    ...sessions.map(({ id, device, address, how, name, at, current }) => {
      const what = current ? `${device} · ${t('access_session_this')}` : device;
      return entry(what, [name, howInWords(how), address, ago(at, panelNow())], {
        word: t('access_session_end'),
        label: `${t('access_session_end')}: ${device}, ${address}`,
        act: () => end(t('access_session_end_sure', { device }), 'DELETE', `/access/sessions/${id}`),
      });
    }),
  );
}

async function refreshTokens() {
  const { tokens } = await call('GET', '/access/tokens');
  part('tokens').replaceChildren(
    ...tokens.map(({ id, label, role, name, at }) =>
      entry(label, [t(`access_role_${role}`), name, ago(at, panelNow())], {
        word: t('access_revoke'),
        label: `${t('access_revoke')}: ${label}`,
        act: () => end(t('access_revoke_sure', { label }), 'DELETE', `/access/tokens/${id}`),
      }),
    ),
  );
}

async function refreshNames() {
  const { names } = await call('GET', '/access/names');
  part('no-names').hidden = names.length > 0;
  part('names').replaceChildren(
    ...names.map(({ name, at, lost }) =>
      entry(name, [lost ? t('access_name_lost') : ago(at, panelNow())], {
        word: t('access_release'),
        label: `${t('access_release')}: ${name}`,
        act: () => release(name),
      }),
    ),
  );
}

function release(name) {
  return end(t('access_release_sure', { name }), 'POST', `/access/names/${encodeURIComponent(name)}/release`);
}

/** Ask whether this is meant, do it, and show what is left. */
function end(sure, method, path) {
  if (!confirm(sure)) return;
  attempt(async () => {
    await call(method, path);
    await show();
  });
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

/** Send the form with `send(fields)`, and take no other sending meanwhile; a refusal is shown in the form. */
function sendForm(form, send) {
  const problem = form.querySelector('.form-problem');
  const sending = form.querySelector('button:not([type])');
  onSubmit(form, async () => {
    if (sending.disabled) return;
    sending.disabled = true;
    problem.textContent = '';
    try {
      await send(Object.fromEntries(new FormData(form)));
      form.reset();
      await show();
    } catch (error) {
      problem.textContent = error.message;
    }
    sending.disabled = false;
  });
}

translate(part('access'));

const phone = new PhoneTile(part('phone'), call);
const trail = new Trail(document.querySelector('.trail'), { call, attempt });
copyOnClick(part('made').querySelector('button'), part('made').querySelector('code'));
new SignInForm(part('pin-form'), signedIn);
addEventListener('pilotlight:signed-in', (event) => {
  event.preventDefault(); // no reload
  refresh();
});

sendForm(part('name-form'), async ({ name, password }) => {
  const signedIn = await call('POST', '/access/sign-in', { name, password, ...WHERE });
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

part('sign-out').addEventListener('click', () =>
  attempt(async () => {
    await call('POST', '/access/sign-out');
    await show();
  }),
);
part('release').addEventListener('click', () => release(me.name));

refresh();
