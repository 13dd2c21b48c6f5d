// The names of steps that the panel gives, in Chinese: of its own shows, and of steps that have no name of their own.

import { language, t } from '../words.js';

const NAMES = {
  Start: '开始',
  End: '结束',
  'Back to a light to work in': '恢复为适合工作的亮度',
  'Before dawn': '黎明之前',
  Dawn: '黎明',
  'Five flashes': '闪五次',
  'Good night': '晚安',
  'The candles are lit': '点亮蜡烛',
  'The candles burn low': '烛光渐暗',
  'The candles go out': '蜡烛熄灭',
  'The first glow': '第一缕微光',
  'The sun is up': '太阳升起',
  'Two waves': '两次起伏',
  'for ever': '一直',
  'Repeat for ever': '一直重复',
};
// As `Step.in_words` of the panel builds them.
const UNITS = { h: '小时', min: '分钟', s: '秒' };
const PATTERNS = [
  [/^Set(?: (\S+))? to (\d+) %$/, (light, level) => `${light}设为 ${level} %`],
  [/^Set(?: (\S+))?(?: to \d+ %)? on$/, (light) => `打开${light}`],
  [/^Set(?: (\S+))?(?: to \d+ %)? off$/, (light) => `关闭${light}`],
  [/^Fade(?: (\S+))? to (\d+) % in ([^,]+)$/, (light, level, time) => `${light}在 ${timeOf(time)}内渐变到 ${level} %`],
  [/^Repeat ×(\d+)$/, (times) => `重复 ${times} 次`],
  [/^(\d+) at once$/, (branches) => `${branches} 路同时`],
  [/^Wait ([^,]+)$/, (time) => `等待 ${timeOf(time)}`],
  [
    /^(No effect|Pulse|Blink|Candle)(?: on (\S+))?(?: at (\d+) %)?$/,
    (effect, light, level) => {
      const name = t(`effect_${effect === 'No effect' ? 'none' : effect.toLowerCase()}`);
      return `${light}效果：${name}${level && `，${level} %`}`;
    },
  ],
];

/** The name of a step in the language of the page; one that is not of the panel stays as it is. */
export function stepName(text) {
  return language === 'zh' && text ? inChinese(text) : (text ?? '');
}

/** The steps of branches that are done at the same time are one text, with commas. */
export function inChinese(text) {
  const parts = text.split(', ');
  return known(text) ?? (parts.some(known) ? parts.map((part) => known(part) ?? part).join('，') : text);
}

function known(text) {
  if (Object.hasOwn(NAMES, text)) return NAMES[text];
  for (const [pattern, words] of PATTERNS) {
    const found = pattern.exec(text);
    if (found) return words(...found.slice(1).map((part) => part ?? ''));
  }
  return undefined;
}

/** "1 h 30 min" in Chinese. */
function timeOf(text) {
  return text.replace(/\b(?:h|min|s)\b/g, (unit) => UNITS[unit]);
}
