// Working no more often than the screen draws.

/**
 * A function that has `work()` called in the next frame, once, however often it is asked before that.
 * A hidden page has no frames, and nobody who looks.
 */
export function onceAFrame(work) {
  let waiting = false;
  return () => {
    if (waiting) return;
    waiting = true;
    requestAnimationFrame(() => {
      waiting = false;
      work();
    });
  };
}
