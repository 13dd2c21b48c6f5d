// The words of tiles, groups and scenes.

import { addWords } from '../words.js';

addWords({
  en: {
    all_off: 'All off',
    all_off_done: 'All lights are off',
    all_off_partly: 'The other lights are off',
    all_lights: 'All lights',
    light: 'Light',
    more_of: ({ name }) => `More of ${name}`,
    other_lights: 'Other lights',
    name: 'Name',

    group_add: 'New group',
    group_menu: ({ name }) => `Menu of ${name}`,
    group_some: ({ level, on, all }) => `${level} % · ${on} of ${all} on`,
    group_empty: 'No lights',

    day: 'Last 24 hours',
    day_lost: 'The last 24 hours cannot be read now.',
    playing: ({ name }) => `Show: ${name}`,
    playing_paused: 'Paused',
    playing_pause: ({ name }) => `Pause ${name}`,
    playing_go_on: ({ name }) => `Resume ${name}`,
    playing_stop: ({ name }) => `Stop ${name}`,
    playing_more: ({ n }) => `and ${n} more`,

    scenes: 'Scenes',
    scene: 'Scene',
    scene_add: 'New scene',
    scene_of: 'Of',
    scene_menu: ({ name }) => `Menu of the scene ${name}`,
    scene_on: ({ name }) => `“${name}” is on`,
    scene_partly: ({ name }) => `“${name}” is on, but not everywhere`,

    node_away: ({ node, time }) => `${node} away since ${time}`,
    nodes_away: ({ n }) => `${n} other panels are away`,
    fault_lights: ({ n }) => `${n} lights offline.`,
    fault_ago: ({ age }) => `(${age}).`,
    fault_node_do: ({ n }) => `Its ${n === 1 ? 'light is' : `${n} lights are`} offline: check its power and its network.`,
    faults_more: ({ n }) => `and ${n} more`,
    here: ({ names, all }) => `${all === 1 ? '1 person' : `${all} people`} here: ${names.join(', ')}`,
    here_you: ({ name }) => `${name} (you)`,
    here_more: ({ more }) => `${more} more`,

    refused_by: ({ names, more }) => `Not done: ${names}${more > 0 ? ` and ${more} more` : ''}`,
  },
  zh: {
    all_off: '全部关闭',
    all_off_done: '所有灯都已关闭',
    all_off_partly: '其他灯都已关闭',
    all_lights: '所有灯',
    light: '灯',
    more_of: ({ name }) => `${name}的更多设置`,
    other_lights: '其他灯',
    name: '名称',

    group_add: '新建分组',
    group_menu: ({ name }) => `${name}的菜单`,
    group_some: ({ level, on, all }) => `${level} % · ${on}/${all} 盏亮着`,
    group_empty: '没有灯',

    day: '过去 24 小时',
    day_lost: '现在无法读取过去 24 小时的记录。',
    playing: ({ name }) => `灯光秀：${name}`,
    playing_paused: '已暂停',
    playing_pause: ({ name }) => `暂停${name}`,
    playing_go_on: ({ name }) => `继续${name}`,
    playing_stop: ({ name }) => `停止${name}`,
    playing_more: ({ n }) => `还有 ${n} 个`,

    scenes: '场景',
    scene: '场景',
    scene_add: '新建场景',
    scene_of: '范围',
    scene_menu: ({ name }) => `场景${name}的菜单`,
    scene_on: ({ name }) => `已切换到“${name}”`,
    scene_partly: ({ name }) => `已部分切换到“${name}”`,

    node_away: ({ node, time }) => `自 ${time} 起无法连接 ${node}`,
    nodes_away: ({ n }) => `无法连接其他 ${n} 个面板`,
    fault_lights: ({ n }) => `${n} 盏灯离线。`,
    fault_ago: ({ age }) => `（${age}）。`,
    fault_node_do: ({ n }) => `它的 ${n} 盏灯离线：请检查它的电源和网络。`,
    faults_more: ({ n }) => `以及另外 ${n} 个故障`,
    here: ({ names, all }) => `${all} 人在场：${names.join('、')}`,
    here_you: ({ name }) => `${name}（你）`,
    here_more: ({ more }) => `另有 ${more} 人`,

    refused_by: ({ names, more }) => `未执行：${names}${more > 0 ? `，另有 ${more} 盏` : ''}`,
  },
});
