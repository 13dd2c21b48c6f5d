// How a light is set, in words.

import { t } from '../words.js';

export function lookInWords({ level, on, effect }) {
  if (!on) return t('look_off');
  return effect ? t('look_effect', { effect: t(`effect_${effect}`), level }) : t('look_level', { level });
}
