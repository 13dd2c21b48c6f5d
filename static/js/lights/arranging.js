// What the menus of groups and scenes do, and the forms that make new ones.

import { nodeOf } from '../page-state.js';
import { openMenu } from '../view/menu.js';
import { addWords, t } from '../words.js';
import { lightsOf } from './arrangement.js';
import { FormSheet } from './form-sheet.js';

const ALL = 'all'; // the group that is always there, of all lights

addWords({
  en: {
    rename: 'Rename',
    choose_lights: 'Choose lights',
    lights_of: ({ name }) => `Lights of ${name}`,
    move_up: 'Move up',
    move_down: 'Move down',
    group_scene: 'Save as scene',
    rename_group: 'Rename group',
    delete_group: 'Delete group',
    delete_group_how: 'Its lights stay as they are.',
    scene_add_how: 'Saves how the lights are now.',
    scene_again: 'Save what is now',
    rename_scene: 'Rename scene',
    delete_scene: 'Delete scene',
    delete_scene_how: 'The lights stay as they are.',
    delete_what: ({ name }) => `Delete “${name}”?`,
  },
  zh: {
    rename: '重命名',
    choose_lights: '选择灯',
    lights_of: ({ name }) => `${name}的灯`,
    move_up: '上移',
    move_down: '下移',
    group_scene: '保存为场景',
    rename_group: '重命名分组',
    delete_group: '删除分组',
    delete_group_how: '其中的灯保持不变。',
    scene_add_how: '保存灯光现在的状态。',
    scene_again: '用现在的状态覆盖',
    rename_scene: '重命名场景',
    delete_scene: '删除场景',
    delete_scene_how: '灯光保持不变。',
    delete_what: ({ name }) => `删除“${name}”？`,
  },
});

export class Arranging {
  /** `now()` returns the state, `ask(command)` sends a command, `act(command)` shows a refusal. */
  constructor({ now, ask, act }) {
    this._form = new FormSheet(document.getElementById('form-sheet'));
    this._now = now;
    this._act = act;
    this._sent = async (command) => {
      const reply = await ask(command);
      return reply.ok ? null : (reply.problem ?? { detail: t('lost_answer') });
    };
  }

  addGroup() {
    this._form.ask({
      title: t('group_add'),
      name: '',
      lights: this._choices([]),
      send: ({ name, lights }) => this._sent({ do: 'save_group', name, lights }),
    });
  }

  groupMenu(id, button) {
    const { groups } = this._now();
    const group = groups[id];
    const order = Object.keys(groups);
    const place = order.indexOf(id);
    openMenu(button, [
      { label: t('undo'), act: () => this._act({ do: 'undo_light', group: id }) },
      { label: t('rename'), act: () => this._rename('group', group) },
      { label: t('choose_lights'), act: () => this._choose(group) },
      place > 0 ? { label: t('move_up'), act: () => this._move(id, -1) } : null,
      place < order.length - 1 ? { label: t('move_down'), act: () => this._move(id, 1) } : null,
      { label: t('group_scene'), act: () => this.addScene(id) },
      { label: t('delete_group'), danger: true, act: () => this._delete('group', group) },
    ]);
  }

  /** Save what is now: of all lights, or of a group, which the form offers too. */
  addScene(chosen = ALL) {
    const groups = Object.values(this._now().groups);
    const options = [{ value: ALL, label: t('all_lights') }, ...groups.map(({ id, name }) => ({ value: id, label: name }))];
    const first = options.filter(({ value }) => value === chosen);
    this._form.ask({
      title: t('scene_add'),
      text: t('scene_add_how'),
      name: '',
      from: [...first, ...options.filter((option) => !first.includes(option))],
      send: ({ name, from }) => this._sent({ do: 'save_scene', name, ...(from !== ALL && { group: from }) }),
    });
  }

  sceneMenu(id, button) {
    const scene = this._now().scenes[id];
    openMenu(button, [
      { label: t('scene_again'), act: () => this._saveAgain(id) },
      { label: t('rename'), act: () => this._rename('scene', scene) },
      { label: t('delete_scene'), danger: true, act: () => this._delete('scene', scene) },
    ]);
  }

  _saveAgain(id) {
    const state = this._now();
    const { name, lights } = state.scenes[id];
    const there = lightsOf(state, { lights: Object.keys(lights) }).map((light) => light.id);
    this._act({ do: 'save_scene', scene: id, name, lights: there });
  }

  _rename(kind, { id, name }) {
    this._form.ask({
      title: t(`rename_${kind}`),
      name,
      send: (values) => this._sent({ do: `rename_${kind}`, [kind]: id, name: values.name }),
    });
  }

  _delete(kind, { id, name }) {
    this._form.ask({
      title: t('delete_what', { name }),
      text: t(`delete_${kind}_how`),
      button: t(`delete_${kind}`),
      danger: true,
      send: () => this._sent({ do: `delete_${kind}`, [kind]: id }),
    });
  }

  _choose({ id, name, lights: chosen }) {
    this._form.ask({
      title: t('lights_of', { name }),
      lights: this._choices(chosen),
      send: ({ lights }) => this._sent({ do: 'save_group', group: id, name: this._now().groups[id]?.name ?? name, lights }),
    });
  }

  _move(id, by) {
    const order = Object.keys(this._now().groups);
    const place = order.indexOf(id);
    order.splice(place, 1);
    order.splice(place + by, 0, id);
    this._act({ do: 'order_groups', order });
  }

  /** All lights; those that are chosen come first, in their order. */
  _choices(chosen) {
    const state = this._now();
    const first = lightsOf(state, { lights: chosen });
    const rest = Object.values(state.lights).filter((light) => !chosen.includes(light.id));
    return [...first, ...rest].map((light) => ({
      id: light.id,
      name: nodeOf(light.id) ? `${light.name} · ${nodeOf(light.id)}` : light.name,
      chosen: chosen.includes(light.id),
    }));
  }
}
