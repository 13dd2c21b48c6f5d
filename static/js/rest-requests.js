// The commands of the lights page as requests of REST: each is a method, a path and a body.

const at = (...parts) => `/${parts.map(encodeURIComponent).join('/')}`;

const REQUESTS = {
  set_light({ light, group, ...verbs }) {
    return light === undefined ? ['PATCH', at('groups', group), verbs] : ['PATCH', at('lights', light), verbs];
  },
  undo_light({ light, group, scene }) {
    if (light !== undefined) return ['POST', at('lights', light, 'undo')];
    return ['POST', group === undefined ? at('scenes', scene, 'undo') : at('groups', group, 'undo')];
  },
  save_group: ({ group, ...content }) => (group ? ['PATCH', at('groups', group), content] : ['POST', at('groups'), content]),
  rename_group: ({ group, name }) => ['PATCH', at('groups', group), { name }],
  delete_group: ({ group }) => ['DELETE', at('groups', group)],
  order_groups: ({ order }) => ['POST', at('groups', 'order'), { order }],
  save_scene: ({ scene, ...content }) => (scene ? ['PATCH', at('scenes', scene), content] : ['POST', at('scenes'), content]),
  rename_scene: ({ scene, name }) => ['PATCH', at('scenes', scene), { name }],
  delete_scene: ({ scene }) => ['DELETE', at('scenes', scene)],
  recall_scene: ({ scene, ...how }) => ['POST', at('scenes', scene, 'recall'), how],
};

export function requestOf({ do: verb, ...command }) {
  return REQUESTS[verb](command);
}
