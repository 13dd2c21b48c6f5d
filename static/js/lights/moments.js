// The changes of a light in the last day: how the graph goes through them. Times are seconds, levels percent.

export const DAY = 86_400;
const GESTURE = 2; // seconds; one hand that goes on for less than that makes one change

/** The changes and the last one of the light as it is now, unless that is there already or changes nothing. */
export function followed(moments, light) {
  const level = light.on ? light.level : 0;
  const effect = light.on ? light.effect : null;
  const last = moments.at(-1);
  if (last && (light.at <= last.at || (last.level === level && last.effect === effect))) return moments;
  if (!last && light.by.via === 'start') return moments; // it is as it was
  const moment = { at: light.at, level, effect, seconds: light.transition?.seconds ?? 0, by: light.by };
  const goesOn = last && sameHand(last.by, light.by) && light.at - last.at < GESTURE;
  return [...(goesOn ? moments.slice(0, -1) : moments), moment];
}

/** Which change holds at this time; -1: none that is known. */
export function indexAt(moments, at) {
  return moments.findLastIndex((moment) => moment.at <= at);
}

/**
 * The corners of the line from `since` to `until`, as `[at, level]`: steps, and a slope for a fade. A light without a change
 * was all the time as it is `now`.
 */
export function cornersOf(moments, { since, until, now }) {
  if (!moments.length) return [[since, now], [until, now]];
  const corners = [];
  let level = null; // where the line is; null: nobody knows
  moments.forEach((moment, n) => {
    const at = Math.min(moment.at, until); // the clock of this page may be a little behind
    const end = Math.min(moments[n + 1]?.at ?? until, until);
    const from = level ?? moment.level;
    const arrives = at + (from === moment.level ? 0 : moment.seconds);
    const share = arrives > end ? (end - at) / (arrives - at) : 1;
    level = from + (moment.level - from) * share;
    corners.push([at, from], [Math.min(arrives, end), level], [end, level]);
  });
  return cutAt(corners, since);
}

/** The part of the line after this time. */
function cutAt(corners, since) {
  const first = corners.findIndex(([at]) => at >= since);
  if (first <= 0) return first < 0 ? [] : corners;
  const [[at, level], [nextAt, nextLevel]] = [corners[first - 1], corners[first]];
  const share = nextAt > at ? (since - at) / (nextAt - at) : 1;
  return [[since, level + (nextLevel - level) * share], ...corners.slice(first)];
}

function sameHand(one, other) {
  return one.name === other.name && one.via === other.via;
}
