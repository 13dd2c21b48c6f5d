// The words of the Transports page.

import { addWords } from '../words.js';

addWords({
  en: {
    compare_title: 'Transports',
    compare_lead: 'One panel over three transports at the same time.',
    compare_what:
      'Each transport sends a request four times a second and waits for the answer. The plot shows the time from request to answer in milliseconds, measured in this page. WebSocket and Socket.IO send a ping over an open connection, and the panel answers with its revision. REST sends GET /lights and gets every light. All three run in this page at once, so they share one processor and one network.',
    last: 'Last',
    median: 'Median',
    p95: '95th percentile',
    worst: 'Worst',
    samples: 'Samples',
    round_trip_ago: ({ n }) => `${n} s`,
    last_minute: 'Round trip over the last 60 s, milliseconds',
    clipped: 'Rare peaks are cut off in the plot. The table has their values.',
  },
  zh: {
    compare_title: '传输对比',
    compare_lead: '同一个面板，同时使用三种传输方式。',
    compare_what:
      '每种传输方式每秒向面板发送四次请求并等待回应。曲线显示从本页发出请求到收到回应的时间，以毫秒计。WebSocket 和 Socket.IO 在保持打开的连接上发送 ping，面板回应修订号。REST 发送 GET /lights，得到所有灯的状态。三者同时在本页运行，共用处理器和网络。',
    last: '最近',
    median: '中位数',
    p95: '95 百分位',
    worst: '最慢',
    samples: '样本数',
    round_trip_ago: ({ n }) => `${n} 秒`,
    last_minute: '最近 60 秒的往返时间，毫秒',
    clipped: '个别峰值超出图框，表中有它们的数值。',
  },
});
