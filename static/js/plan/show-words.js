// A show and its steps in words.

import { t } from '../words.js';
import { isEndless, kindOf, secondsOf, verbOf } from './show-form.js';
import { durationInWords, verbInWords } from './phrases.js';

/** "0.3 s", "1 min 20 s". */
export function timeInWords(seconds) {
  return seconds < 60 ? t('plan_s', { n: Math.round(seconds * 10) / 10 }) : durationInWords(seconds);
}

/** What a step does: "Desk to 60 %, over 30 s". */
export function stepInWords(step, lights) {
  const kind = kindOf(step);
  const { light, level, seconds, effect, times } = step[kind];
  const name = light === undefined ? t('plan_all_lights') : (lights[light]?.name ?? light);
  if (kind === 'wait') return t('show_wait', { time: timeInWords(seconds) });
  if (kind === 'repeat') return times ? t('show_repeat', { n: times }) : t('show_forever');
  if (kind === 'parallel') return t('show_parallel');
  if (kind === 'fade') return verbInWords({ level }, name) + t('plan_over', { time: timeInWords(seconds) });
  if (kind === 'set') {
    const verb = verbOf(step.set);
    return verbInWords(verb === 'level' ? { level } : { on: verb === 'on' }, name);
  }
  const words = effect === 'none' ? t('show_no_effect', { name }) : verbInWords({ effect }, name);
  return level === undefined ? words : t('show_at', { words, level });
}

/** How long the steps take: "1 min 20 s in all". */
export function totalInWords(steps) {
  if (!steps.length) return t('show_no_steps');
  const time = timeInWords(secondsOf(steps));
  return t(isEndless(steps) ? 'show_total_endless' : 'show_total', { time });
}

/** "30 min, built-in": what a card says of a show. */
export function kindInWords({ seconds, endless, source }) {
  const time = endless ? t('show_endless') : timeInWords(seconds);
  return source === 'own' ? time : t('show_kind', { time, source: t(`show_is_${source}`) });
}
