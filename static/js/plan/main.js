// The Schedules page: connects the state with the list of schedules, the sheet, the sleep timer and the shows.

import '../watch/words.js'; // of the shows
import './words.js';
import './show-word-table.js';

import { learnMe } from '../me.js';
import { Page } from '../page.js';
import { TRANSPORTS } from '../transports.js';
import { chatBadge } from '../unread.js';
import { t } from '../words.js';
import { commandOf, fresh, nameWordOf, valuesOf, whenOf } from './form.js';
import { whatInWords } from './phrases.js';
import { ScheduleSheet } from './sheet.js';
import { showActs } from './show-acts.js';
import { ShowsView } from './shows-view.js';
import { SleepView } from './sleep-view.js';
import { EMPTY, apply, freeName } from './state.js';
import { View, askToDelete } from './view.js';
import { asInput, clockShift, wallNow } from './zone.js';

const LONGEST = 60; // characters of a name that nobody wrote; the panel takes 64
const DAY = 86_400; // seconds
const SOON = 2; // seconds in which a light is back when its sleep timer is cancelled

const page = new Page({
  state: EMPTY,
  apply,
  render(state) {
    view.render(state);
    document.title = `${t('plan')} · Pilot Light`;
  },
  transports: Object.keys(TRANSPORTS),
  canResume: (state) => state.schedules !== null,
  wants: ['schedules', 'groups', 'scenes', 'shows', 'runs'],
  heard,
});
const { ask, refuse } = page;
const dispatch = (event) => page.dispatch(event);
const updateBadge = chatBadge(page);

function heard(event) {
  if (event.event === 'link' && event.link.status === 'live') learnMe().then((me) => dispatch({ event: 'me', me }));
  updateBadge(event);
  return event;
}

// --- schedules ---------------------------------------------------------------------------------------------

/** Send a command about a schedule. Its card waits for the reply. */
async function about(id, command) {
  dispatch({ event: 'asking', schedule: id });
  const reply = await ask({ ...command, schedule: id });
  const schedule = !reply.ok ? undefined : (reply.schedule ?? null);
  dispatch({ event: 'answered', id, schedule, rev: reply.rev });
  return reply;
}

/** The same, and show a refusal; returns a promise of whether it was done. A second press has to wait. */
async function act(id, command, refused = refuse) {
  if (page.state.asking[id]) {
    page.draw(); // a switch shows again what is so
    return false;
  }
  const reply = await about(id, command);
  if (!reply.ok) refused(reply.problem);
  return reply.ok;
}

const acts = {
  turn(schedule, on) {
    return act(schedule.id, { do: 'change_schedule', enabled: on }, (problem) => {
      if (problem?.errors?.[0]?.field !== 'when') return refuse(problem);
      const date = asInput(wallNow(clockShift(page.state.schedules)) + DAY); // it is over: only another date helps
      sheet.open({ ...valuesOf(schedule), date }, page.state, { schedule, focus: 'date' });
      page.draw(); // the switch is still off
    });
  },
  skip: (schedule, skip) => act(schedule.id, { do: 'skip_schedule', skip }),
  edit: (schedule) => sheet.open(withDate(valuesOf(schedule)), page.state, { schedule }),
  async remove(schedule) {
    const sure = schedule.is_timer || (await askToDelete(schedule.name));
    if (!sure || !(await act(schedule.id, { do: 'delete_schedule' }))) return;
    document.getElementById('new').focus(); // what had the focus is gone
  },
};

function make(example) {
  const shift = clockShift(page.state.schedules);
  sheet.open(withDate(fresh(example, wallNow(shift))), page.state);
}

/** With tomorrow as the date, for somebody who chooses one. */
function withDate(values) {
  const tomorrow = asInput(wallNow(clockShift(page.state.schedules)) + DAY).slice(0, 10);
  return values.date ? values : { ...values, date: `${tomorrow}T${values.time}` };
}

function nameOf(values) {
  const command = commandOf(values);
  if (!command) return '';
  const word = nameWordOf(values);
  const name = word ? t(word) : whatInWords({ ...command, transition: 0 }, page.state).text;
  return freeName([...name].slice(0, LONGEST).join(''), page.state.schedules);
}

async function save(values, schedule) {
  const [when, command] = [whenOf(values), commandOf(values)];
  if (!schedule) {
    const name = values.name.trim() || nameOf(values);
    return add({ name, when, command, if_missed: values.missed });
  }
  const before = valuesOf(schedule);
  const change = {
    ...(values.name !== before.name && { name: values.name }),
    ...(differ(when, whenOf(before)) && { when }),
    ...(command && differ(command, commandOf(before)) && { command }),
    ...(values.missed !== before.missed && { if_missed: values.missed }),
  };
  return Object.keys(change).length ? about(schedule.id, { do: 'change_schedule', ...change }) : { ok: true };
}

async function add(content) {
  const reply = await ask({ do: 'save_schedule', ...content });
  if (reply.ok) dispatch({ event: 'answered', id: reply.schedule.id, schedule: reply.schedule, rev: reply.rev });
  return reply;
}

function differ(one, other) {
  return JSON.stringify(one) !== JSON.stringify(other);
}

// --- the sleep timer ---------------------------------------------------------------------------------------

async function begin(seconds, fading) {
  const off = { do: 'set_light', group: 'all', on: false };
  const name = freeName(t('plan_sleep_name'), page.state.schedules);
  const reply = fading
    ? await ask({ ...off, transition: seconds })
    : await add({ name, when: { in: seconds }, command: off });
  if (!reply.ok) return refuse(reply.problem);
  for (const problem of Object.values(reply.refused ?? {})) refuse(problem); // of each light that did not
}

/** End the timer, or bring the lights back that it dims. */
async function cancel({ schedule, fading }) {
  if (schedule) return act(schedule.id, { do: 'delete_schedule' });
  await Promise.all(fading.map(bringBack));
}

async function bringBack({ id, level, undo }) {
  const { level: before, effect } = undo ?? { level };
  const reply = await ask({ do: 'set_light', light: id, level: before, transition: SOON, ...(effect && { effect }) });
  if (!reply.ok) refuse(reply.problem);
}

// --- view --------------------------------------------------------------------------------------------------

const sheet = new ScheduleSheet({ save, nameOf });
const sleep = new SleepView({ begin, cancel });
const { acts: actsOfShows, sheet: showSheet } = showActs(page);
const shows = new ShowsView(actsOfShows, showSheet);
const view = new View({ acts, make, sheet, sleep, shows, dismiss: page.dismiss, retry: page.retry });
page.start();
