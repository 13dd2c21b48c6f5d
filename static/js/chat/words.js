// The words of the chat page.

import { addWords } from '../words.js';

addWords({
  en: {
    chat_rooms: 'Rooms',
    chat_lobby: 'lobby',
    chat_privates: 'Private',
    chat_people: 'Here now',
    chat_you: 'you',
    chat_nobody: 'Nobody else is here.',
    chat_no_privates: 'Choose a person to send a private message.',
    chat_devices: ({ n }) => (n === 1 ? '1 device' : `${n} devices`),
    chat_unread_count: ({ n }) => `${n} unread`,
    chat_here: 'here now',
    chat_away: 'away',
    chat_talk_to: ({ name }) => `Talk to ${name} privately`,
    chat_room_what: ({ n }) => (n === 0 ? 'No messages yet' : n === 1 ? '1 message' : `${n} messages`),

    chat_new_room: 'New room',
    chat_room_name: 'Name of the room',
    chat_room_example: 'garden',
    chat_join: 'Join',
    chat_leave: 'Leave',
    chat_leave_room: ({ room }) => `Leave the room ${room}`,
    chat_back: 'Back to the list',

    chat_write: ({ name }) => `Write to ${name}`,
    chat_send: 'Send',
    chat_messages_of: ({ name }) => `Messages of ${name}`,
    chat_empty_room: 'No messages yet. Write the first one.',
    chat_empty_private: ({ name }) => `Only you and ${name} can read the messages here.`,
    chat_beginning: 'There are no older messages.',
    chat_loading: 'Loading',
    chat_new: 'New',
    chat_to_latest: 'To the latest',
    chat_to_new: ({ n }) => (n === 1 ? '1 new message' : `${n} new messages`),
    chat_show_all: ({ n }) => `Show all ${n} characters`,
    chat_typing: ({ names }) =>
      names.length === 1
        ? `${names[0]} is typing`
        : names.length === 2
          ? `${names[0]} and ${names[1]} are typing`
          : 'Several people are typing',
    chat_spoken: ({ from, text }) => `${from}: ${text}`,
    chat_preview_own: ({ text }) => `You: ${text}`,
    chat_preview_in_room: ({ from, text }) => `${from}: ${text}`,
    chat_data: 'Data',

    chat_waiting: 'Waiting for the connection',
    chat_sending: 'Sending',
    chat_stored: 'Stored',
    chat_delivered: 'Delivered',
    chat_read: 'Read',
    chat_read_by: ({ n }) => `Read by ${n}`,
    chat_not_sent: 'Not sent',
    chat_retry: 'Send again',
    chat_discard: 'Discard',

    chat_today: 'Today',
    chat_yesterday: 'Yesterday',

    chat_name_title: 'What should others call you?',
    chat_name_what: 'The chat needs a name. Every device with the same name is the same person.',
    chat_name: 'Your name',
    chat_name_example: 'Ada',
    chat_name_start: 'Start chatting',
    chat_name_empty: 'Enter at least one character.',

    chat_not_kept: 'Messages are not saved.',
    chat_lost: 'No connection. Your messages wait here and are sent when the panel is back.',
    chat_script: 'The chat needs JavaScript.',
  },
  zh: {
    chat_rooms: '房间',
    chat_lobby: '大厅',
    chat_privates: '私聊',
    chat_people: '在线的人',
    chat_you: '你',
    chat_nobody: '没有其他人在线。',
    chat_no_privates: '选择一个人，发送私聊消息。',
    chat_devices: ({ n }) => `${n} 台设备`,
    chat_unread_count: ({ n }) => `${n} 条未读`,
    chat_here: '在线',
    chat_away: '不在线',
    chat_talk_to: ({ name }) => `与${name}私聊`,
    chat_room_what: ({ n }) => (n === 0 ? '还没有消息' : `${n} 条消息`),

    chat_new_room: '新房间',
    chat_room_name: '房间名称',
    chat_room_example: '花园',
    chat_join: '加入',
    chat_leave: '离开',
    chat_leave_room: ({ room }) => `离开房间 ${room}`,
    chat_back: '返回列表',

    chat_write: ({ name }) => `发给 ${name}`,
    chat_send: '发送',
    chat_messages_of: ({ name }) => `${name}的消息`,
    chat_empty_room: '还没有消息。来写第一条吧。',
    chat_empty_private: ({ name }) => `这里的消息只有你和${name}能看到。`,
    chat_beginning: '没有更早的消息。',
    chat_loading: '正在加载',
    chat_new: '新消息',
    chat_to_latest: '回到最新',
    chat_to_new: ({ n }) => `${n} 条新消息`,
    chat_show_all: ({ n }) => `显示全部 ${n} 个字符`,
    chat_typing: ({ names }) =>
      names.length === 1
        ? `${names[0]} 正在输入`
        : names.length === 2
          ? `${names[0]} 和 ${names[1]} 正在输入`
          : '好几个人正在输入',
    chat_spoken: ({ from, text }) => `${from}：${text}`,
    chat_preview_own: ({ text }) => `你：${text}`,
    chat_preview_in_room: ({ from, text }) => `${from}：${text}`,
    chat_data: '数据',

    chat_waiting: '等待连接',
    chat_sending: '正在发送',
    chat_stored: '已保存',
    chat_delivered: '已送达',
    chat_read: '已读',
    chat_read_by: ({ n }) => `${n} 人已读`,
    chat_not_sent: '未发送',
    chat_retry: '重新发送',
    chat_discard: '丢弃',

    chat_today: '今天',
    chat_yesterday: '昨天',

    chat_name_title: '别人怎么称呼你？',
    chat_name_what: '聊天需要一个名字。名字相同的设备算作同一个人。',
    chat_name: '你的名字',
    chat_name_example: '小明',
    chat_name_start: '开始聊天',
    chat_name_empty: '请至少输入一个字符。',

    chat_not_kept: '消息目前不会保存。',
    chat_lost: '没有连接。你的消息会在这里等待，面板恢复后发送。',
    chat_script: '聊天需要 JavaScript。',
  },
});
