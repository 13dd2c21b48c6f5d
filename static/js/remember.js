// Small things this browser keeps. A browser that refuses storage forgets them, and nothing else happens.

export function remembered(key, fallback = null, storage = 'localStorage') {
  try {
    return JSON.parse(window[storage].getItem(`pilotlight.${key}`)) ?? fallback;
  } catch {
    return fallback;
  }
}

export function remember(key, value, storage = 'localStorage') {
  try {
    window[storage].setItem(`pilotlight.${key}`, JSON.stringify(value));
  } catch {
    // private windows of some browsers
  }
}
