// The routes of REST: of each command that a page may give over it, and of the lists of the state.

const of = (noun, id) => `/${noun}/${encodeURIComponent(id)}`;

/** `[method, path, body, word]` of a command; its answer is that word of the reply, or without a word all of it. */
const COMMANDS = {
  set_light: ({ light, group, ...verbs }) =>
    group === undefined ? ['PATCH', of('lights', light), verbs, 'light'] : ['PATCH', of('groups', group), verbs],
  undo_light: ({ light, group }) =>
    group === undefined ? ['POST', `${of('lights', light)}/undo`, null, 'light'] : ['POST', `${of('groups', group)}/undo`],
  save_schedule: ({ command, ...content }) => ['POST', '/schedules', { ...content, do: command }, 'schedule'],
  change_schedule: ({ schedule, command, ...change }) => [
    'PATCH',
    of('schedules', schedule),
    { ...change, ...(command && { do: command }) },
    'schedule',
  ],
  skip_schedule: ({ schedule, skip }) => ['POST', `${of('schedules', schedule)}/skip`, { skip }, 'schedule'],
  delete_schedule: ({ schedule }) => ['DELETE', of('schedules', schedule)],
  start_show: ({ show, step = false }) => ['POST', `${of('shows', show)}/start`, { step }, 'run'],
  signal_run: ({ run, signal }) => ['POST', `${of('runs', run)}/signal`, { signal }],
};

export function routeOf({ do: verb, ...said }) {
  return COMMANDS[verb](said);
}

const byId = (list, id = 'id') => Object.fromEntries(list.map((one) => [one[id], one]));

/** For each list of the state: how it comes from the answer of its route, which has the same name. */
export const LISTS = {
  schedules: ({ schedules }) => byId(schedules),
  scenes: ({ scenes }) => byId(scenes),
  groups: ({ groups }) => byId(groups.filter(({ id }) => id !== 'all')),
  shows: ({ shows }) => byId(shows, 'name'),
  runs: ({ runs }) => byId(runs),
};
