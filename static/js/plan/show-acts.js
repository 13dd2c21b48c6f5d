// What the page does with shows: start, pause and stop them, make, change, copy, try and delete them.

import { call, problemOf } from '../setup/api.js';
import { showInWords } from '../watch/run-words.js';
import { askFirst } from '../view/ask-first.js';
import { t } from '../words.js';
import { ShowSheet } from './show-sheet.js';
import { freeName } from './state.js';
import { askToDelete } from './view.js';

const NEW = { description: '', steps: [] };

/** The acts of the shows of this page, and the sheet of one. */
export function showActs(page) {
  const tell = async (command) => {
    const reply = await page.ask(command);
    if (!reply.ok) page.refuse(reply.problem);
    return reply.ok;
  };
  const free = (title) => freeName(title, Object.values(page.state.shows).map((show) => ({ name: showInWords(show).title })));
  const signal = (run, name) => tell({ do: 'signal_run', run, signal: name });

  const sheet = new ShowSheet({
    save: (content, name) => page.ask({ do: 'save_show', ...content, ...(name && { show: name }) }),
    tryIt: ({ title, ...content }) => page.ask({ do: 'try_show', title: title || t('show_draft'), ...content }),
    stop: (run) => signal(run, 'stop'),
    askToLose: () =>
      askFirst({ title: t('show_unsaved'), what: t('show_unsaved_what'), keep: t('show_unsaved_back'), lose: t('show_unsaved_lose') }),
  });

  /** Open the sheet with the steps of a show, which the state does not have. */
  async function open(show, content, name) {
    const problem = await problemOf(async () => {
      const { steps } = await call('GET', `/shows/${encodeURIComponent(show.name)}`);
      sheet.open({ ...content, steps }, page.state, name);
    });
    if (problem !== undefined) page.refuse(problem);
  }

  const acts = {
    start: (show) => tell({ do: 'start_show', show }),
    signal,
    add: () => sheet.open({ ...NEW, title: '' }, page.state),
    edit: (show) => open(show, { title: show.title, description: show.description }, show.name),
    copy(show) {
      const { title, description } = showInWords(show);
      return open(show, { title: free(title), description });
    },
    async remove(show) {
      const used = Object.values(page.state.schedules).filter(({ do: { do: verb, show: of } }) => verb === 'start_show' && of === show.name);
      const what = used.length ? t('show_delete_used', { names: used.map(({ name }) => name) }) : t('show_delete_what');
      if (!(await askToDelete(show.title, what)) || !(await tell({ do: 'delete_show', show: show.name }))) return;
      document.getElementById('new-show').focus(); // what had the focus is gone
    },
  };
  return { acts, sheet };
}
