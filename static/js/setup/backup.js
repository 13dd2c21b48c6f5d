// Import: a file is read, the page says what it will replace, and then the panel does it or says where it is wrong.

import { make, write } from '../view/dom.js';
import { t } from '../words.js';
import { call, problemOf } from './api.js';
import { FormSheet, sentence } from './sheet.js';

const KINDS = ['lights', 'groups', 'scenes', 'schedules', 'shows'];
const FAULTS = 8; // of a file that are shown

export class ImportSheet {
  /** `fixed()` resolves to the ids of the lights that the settings file has, `refresh()` asks again how all are set up. */
  constructor({ fixed, refresh }) {
    this._fixed = fixed;
    this._refresh = refresh;
    this._sheet = new FormSheet('importing', () => this._send());
    const { form } = this._sheet;
    const find = (selector) => form.querySelector(selector);
    this._parts = {
      what: find('.importing-what'),
      table: find('.kinds'),
      rows: find('tbody'),
      more: find('.importing-more'),
      wrong: find('.wrong'),
      close: find('.sheet-foot [data-close]'),
      replace: find('.button.primary'),
    };
    this._text = '';
    const picker = document.getElementById('import-file');
    picker.addEventListener('change', () => {
      const [file] = picker.files;
      if (file) this._open(file).finally(() => (picker.value = '')); // so that the same file can be chosen again
    });
    document.getElementById('import').addEventListener('click', () => picker.click());
  }

  async _open(file) {
    this._text = await file.text();
    const content = backupIn(this._text);
    this._sheet.open(t('setup_import_title'));
    this._show({ words: t(content ? 'setup_import_what' : 'setup_not_a_file', { file: file.name }), asks: Boolean(content) });
    if (!content) return;
    const problem = await problemOf(async () => this._compare(await call('GET', '/export'), content));
    if (problem !== undefined) this._sheet.show(problem);
  }

  /** Say what this does: some words, and whether it asks or has been done. */
  _show({ words, asks, close = t('setup_cancel') }) {
    const { what, table, more, wrong, replace, close: button } = this._parts;
    write(what, words);
    write(button, close);
    table.hidden = true;
    more.replaceChildren();
    wrong.replaceChildren();
    replace.hidden = !asks;
  }

  /** How many of each there are now and then, and which ones go. */
  async _compare(now, then) {
    const fixed = new Set(await this._fixed()); // these stay
    const numberOf = (kind) => new Set([...then[kind].map(({ id }) => id), ...(kind === 'lights' ? fixed : [])]).size;
    const here = (kind) => now[kind] ?? []; // one of several panels leaves out what it does not have
    this._fill(KINDS.map((kind) => [kind, here(kind).length, then[kind] ? numberOf(kind) : t('setup_stays')]));
    for (const kind of KINDS) {
      if (!then[kind]) continue;
      const kept = new Set(then[kind].map(({ id }) => id));
      const gone = here(kind).filter(({ id }) => !kept.has(id) && !(kind === 'lights' && fixed.has(id)));
      const names = gone.map(({ name, title, id }) => name ?? title ?? id).join(t('setup_and'));
      if (names) this._add(t('setup_goes', { kind: t(`setup_kind_${kind}`), names }));
    }
  }

  _fill(rows) {
    this._parts.table.hidden = false;
    this._parts.table.tHead.hidden = rows[0].length < 3;
    this._parts.rows.replaceChildren(
      ...rows.map(([kind, ...numbers]) =>
        make(
          'tr',
          {},
          make('th', { scope: 'row' }, t(`setup_kind_${kind}`)),
          ...numbers.map((number) => make('td', {}, String(number))),
        ),
      ),
    );
  }

  _add(words) {
    this._parts.more.append(make('li', {}, words));
  }

  async _send() {
    const problem = await problemOf(async () => this._done(await call('POST', '/import', this._text)));
    if (problem !== undefined) this._refuse(problem);
    await this._refresh();
  }

  _done(imported) {
    this._sheet.open(t('setup_imported'));
    this._show({ words: t('setup_imported_what'), asks: false, close: t('setup_done') });
    this._fill(KINDS.map((kind) => [kind, imported[kind]]));
    if (imported.left.length) this._add(t('setup_left', { ids: imported.left.join(t('setup_and')) }));
    this._parts.close.focus();
  }

  /** Say where in the file the panel found what it refuses. It looks at all of it before it changes anything. */
  _refuse(problem) {
    const isOfFile = ({ field }) => field && (problem.status === 400 || field.startsWith('lights.'));
    const faults = (problem?.errors ?? []).filter(isOfFile).slice(0, FAULTS);
    if (faults.length === 0) return this._sheet.show(problem);
    this._sheet.say(t('setup_wrong_file'));
    const lines = faults.map(({ field, detail }) => make('li', {}, make('code', {}, field), ` ${sentence(detail)}`));
    this._parts.wrong.replaceChildren(...lines);
    this._parts.wrong.scrollIntoView({ block: 'nearest' });
  }
}

/** What a file has, or null if no panel has exported it. */
function backupIn(text) {
  try {
    const content = JSON.parse(text);
    const isOne = content?.pilotlight !== undefined && KINDS.every((kind) => Array.isArray(content[kind] ?? []));
    return isOne ? content : null;
  } catch {
    return null;
  }
}
