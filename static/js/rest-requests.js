// The commands of the pages as requests of REST: each is a method, a path and a body. And the lists of the state.

const at = (...parts) => `/${parts.map(encodeURIComponent).join('/')}`;

const REQUESTS = {
  set_light({ light, group, ...verbs }) {
    return light === undefined ? ['PATCH', at('groups', group), verbs] : ['PATCH', at('lights', light), verbs];
  },
  undo_light({ light, group, scene }) {
    if (light !== undefined) return ['POST', at('lights', light, 'undo')];
    return ['POST', group === undefined ? at('scenes', scene, 'undo') : at('groups', group, 'undo')];
  },
  get_history: ({ light }) => ['GET', at('lights', light, 'history')],
  save_group: ({ group, ...content }) => (group ? ['PATCH', at('groups', group), content] : ['POST', at('groups'), content]),
  rename_group: ({ group, name }) => ['PATCH', at('groups', group), { name }],
  delete_group: ({ group }) => ['DELETE', at('groups', group)],
  order_groups: ({ order }) => ['POST', at('groups', 'order'), { order }],
  order_lights: ({ order }) => ['POST', at('lights', 'order'), { order }],
  save_scene: ({ scene, ...content }) => (scene ? ['PATCH', at('scenes', scene), content] : ['POST', at('scenes'), content]),
  rename_scene: ({ scene, name }) => ['PATCH', at('scenes', scene), { name }],
  delete_scene: ({ scene }) => ['DELETE', at('scenes', scene)],
  recall_scene: ({ scene, ...how }) => ['POST', at('scenes', scene, 'recall'), how],
  save_schedule: ({ command, ...content }) => ['POST', at('schedules'), { ...content, do: command }],
  change_schedule: ({ schedule, command, ...change }) => [
    'PATCH',
    at('schedules', schedule),
    { ...change, ...(command && { do: command }) },
  ],
  skip_schedule: ({ schedule, skip }) => ['POST', at('schedules', schedule, 'skip'), { skip }],
  delete_schedule: ({ schedule }) => ['DELETE', at('schedules', schedule)],
  save_show: ({ show, ...content }) => (show ? ['PATCH', at('shows', show), content] : ['POST', at('shows'), content]),
  delete_show: ({ show }) => ['DELETE', at('shows', show)],
  try_show: (content) => ['POST', at('shows', 'try'), content],
  start_show: ({ show, ...how }) => ['POST', at('shows', show, 'start'), how],
  signal_run: ({ run, signal }) => ['POST', at('runs', run, 'signal'), { signal }],
};
const WITH_SCHEDULE = ['save_schedule', 'change_schedule', 'skip_schedule'];

export function requestOf({ do: verb, ...command }) {
  return REQUESTS[verb](command);
}

/** What the reply to a command has, if its answer has all that has changed; else null. */
export function wholeReply({ do: verb, light }, answer) {
  if (verb === 'get_history') return answer;
  if (WITH_SCHEDULE.includes(verb)) return { schedule: answer };
  return light === undefined ? null : { light: answer };
}

const byId = (all, id = 'id') => Object.fromEntries(all.map((one) => [one[id], one]));

/** The lists of the state: each from the answer of its route, which is `PATHS` or has its name. */
export const PATHS = { people: '/chat/rooms' };
export const LISTS = {
  groups: ({ groups }) => byId(groups.filter(({ id }) => id !== 'all')),
  scenes: ({ scenes }) => byId(scenes),
  schedules: ({ schedules }) => byId(schedules),
  shows: ({ shows }) => byId(shows, 'name'),
  runs: ({ runs }) => byId(runs),
  people: ({ people }) => byId(people, 'name'),
};
