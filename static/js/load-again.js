// The page is loaded again if a script or a style sheet of it did not arrive, as when the network changes: a module that
// failed would be missing until then. No module itself, so that it is there before them.
{
  const PAUSE = 1000; // ms
  const TRIES = 3; // one after the other
  const KEY = 'pilotlight-loads-again';
  let failed = false;

  const again = () => {
    try {
      const tries = Number(sessionStorage.getItem(KEY)) + 1;
      if (tries > TRIES) return;
      sessionStorage.setItem(KEY, tries);
    } catch {
      return; // without a memory this might never end
    }
    location.reload();
  };

  addEventListener(
    'error',
    ({ target }) => {
      if (failed || !(target instanceof HTMLScriptElement || target instanceof HTMLLinkElement)) return;
      if (target instanceof HTMLLinkElement && target.rel !== 'stylesheet') return;
      failed = true;
      addEventListener('online', again);
      if (navigator.onLine) setTimeout(again, PAUSE);
    },
    true,
  );

  addEventListener('load', () => {
    if (!failed) sessionStorage.removeItem(KEY);
  });
}
