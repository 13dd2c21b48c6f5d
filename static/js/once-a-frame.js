// Work that runs at most once a frame of the screen.

/** Returns a function that calls `work()` in the next frame, once for many calls. A hidden page has no frames. */
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
