// Runs before anything is painted, so that a reload neither flashes white nor in the other language.
(function () {
  const root = document.documentElement;
  let kept = {};
  try {
    kept = JSON.parse(localStorage.getItem('playground:preferences')) || {};
  } catch (error) {
    // Nothing kept, or storage is forbidden.
  }
  if (kept.theme) root.dataset.theme = kept.theme;
  root.lang = (kept.language || navigator.language).slice(0, 2) === 'zh' ? 'zh-CN' : 'en';
})();
