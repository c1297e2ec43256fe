/** Rules of the progress and of the list; colors are the theme's. */
export const taskCss = `
.hf-task { --hf-tone: var(--hf-muted); background: var(--hf-surface); }
.hf-task[data-tone='busy'] { --hf-tone: var(--hf-info); }
.hf-task[data-tone='warning'] { --hf-tone: var(--hf-warning); }
.hf-task[data-tone='success'] { --hf-tone: var(--hf-success); }
.hf-task[data-tone='error'] { --hf-tone: var(--hf-error); }
section.hf-task {
  display: grid; gap: 0.5rem; padding: 0.9rem 1.1rem 1rem; border: 1px solid var(--hf-border);
  border-radius: var(--hf-radius); min-inline-size: 0;
}
.hf-task-head { display: flex; align-items: center; gap: 0.6rem; min-block-size: 2.125rem; }
.hf-task-head h3 {
  flex: 1; min-inline-size: 0; margin: 0; font: 600 1rem / 1.35 var(--hf-font); color: inherit;
  letter-spacing: normal; overflow-wrap: anywhere;
}
.hf-task-sign { color: var(--hf-tone); }
.hf-task[data-tone='busy'] .hf-task-sign svg { animation: hf-task-turn 1.1s linear infinite; }
@keyframes hf-task-turn { to { transform: rotate(1turn); } }
.hf-task-bar {
  position: relative; block-size: 0.4rem; border-radius: 1rem; overflow: hidden;
  background: color-mix(in srgb, var(--hf-tone) 16%, var(--hf-surface));
}
.hf-task-bar > span {
  display: block; block-size: 100%; min-inline-size: 0; border-radius: 1rem; background: var(--hf-tone);
  transition: inline-size 0.35s ease-out;
}
.hf-task-bar[data-moving='true'] > span {
  position: absolute; inline-size: 32%; animation: hf-task-sweep 1.5s ease-in-out infinite alternate;
}
@keyframes hf-task-sweep { from { inset-inline-start: -8%; } to { inset-inline-start: 76%; } }
@media (prefers-reduced-motion: reduce) {
  .hf-task-bar[data-moving='true'] > span { inline-size: 100%; opacity: 0.35; }
}
@media (forced-colors: active) {
  .hf-task-bar { border: 1px solid CanvasText; }
  .hf-task-bar > span { background: Highlight; }
}
.hf-task-state {
  display: flex; flex-wrap: wrap; align-items: baseline; margin: 0; margin-inline-start: -1rem;
  color: var(--hf-muted); font-size: 0.875rem; font-variant-numeric: tabular-nums;
  /* A dot at the beginning of a line separates nothing. */
  clip-path: inset(0 0 0 1rem);
}
.hf-task-state:dir(rtl) { clip-path: inset(0 1rem 0 0); }
.hf-task-state > [role='status'] { color: var(--hf-text); overflow-wrap: anywhere; }
.hf-task:is([data-tone='warning'], [data-tone='error'], [data-tone='success']) .hf-task-state > [role='status'] { color: var(--hf-tone); }
.hf-task-state > * { position: relative; padding-inline-start: 1rem; }
.hf-task-state > :not(.hf-task-percent)::before { content: '·'; position: absolute; inset-inline-start: 0.36rem; color: var(--hf-muted); }
.hf-task-percent { margin-inline-start: auto; color: var(--hf-text); font-weight: 550; }
.hf-task-message { margin: 0; color: var(--hf-muted); font-size: 0.875rem; overflow-wrap: anywhere; }
.hf-task-error {
  margin: 0; padding: 0.5rem 0.7rem; border-radius: calc(var(--hf-radius) * 0.7);
  background: color-mix(in srgb, var(--hf-error) 9%, var(--hf-surface)); font-size: 0.875rem;
  overflow-wrap: anywhere; white-space: pre-line; max-block-size: 12rem; overflow-y: auto;
}
.hf-task-steps {
  display: grid; gap: 0.3rem; margin: 0.15rem 0 0; padding: 0; list-style: none; font-size: 0.875rem;
}
.hf-task-steps li { display: flex; align-items: center; gap: 0.55rem; color: var(--hf-muted); overflow-wrap: anywhere; }
.hf-task-steps li[data-state='current'] { color: var(--hf-text); font-weight: 550; }
.hf-task-step-sign {
  display: grid; place-items: center; flex: none; inline-size: 1.1rem; block-size: 1.1rem;
  border: 1.5px solid var(--hf-border); border-radius: 50%;
}
.hf-task-step-sign svg { inline-size: 0.8rem; block-size: 0.8rem; stroke-width: 2.75; }
li[data-state='completed'] .hf-task-step-sign { border-color: transparent; background: var(--hf-success); color: var(--hf-surface); }
li[data-state='current'] .hf-task-step-sign { border-color: var(--hf-tone); border-width: 0.28rem; }
.hf-task-notice {
  display: flex; align-items: center; gap: 0.55rem; margin: 0; color: var(--hf-muted); font-size: 0.875rem;
}
.hf-task-problem { color: var(--hf-error); }
.hf-task-notice .hf-button { margin-inline-start: auto; }
/* Out of the grid, which would leave a gap for it. */
section.hf-task > [role='alert']:empty { position: absolute; }
/* Shown only when it lasts: a connection that is back within a second is nobody's concern. */
.hf-task-late { animation: hf-task-late 0.2s 0.8s backwards; }
@keyframes hf-task-late { from { opacity: 0; } }

.hf-tasks { background: var(--hf-surface); min-inline-size: 0; container-type: inline-size; }
.hf-tasks > h2 {
  margin: 0; padding: 0.875rem 1.25rem 0.625rem; border-block-end: 1px solid var(--hf-border);
  font: 650 1.1875rem / 1.3 var(--hf-font); letter-spacing: -0.01em; color: inherit;
}
.hf-tasks .hf-task-notice { padding: 0.6rem 1.25rem; border-block-end: 1px solid var(--hf-border); background: var(--hf-hover); }
.hf-task-items { margin: 0; padding: 0; list-style: none; }
.hf-task-items > .hf-task {
  display: grid; gap: 0.3rem; padding-block: 0.5rem 0.75rem; padding-inline: 1.25rem 0.75rem; border-block-end: 1px solid var(--hf-border);
}
.hf-task-items .hf-task-head time { color: var(--hf-muted); font-size: 0.8125rem; white-space: nowrap; }
.hf-task-items :is(.hf-task-bar, .hf-task-more-details) { margin-inline: 1.85rem 0.5rem; }
.hf-task-items .hf-task-state { margin-inline: 0.85rem 0.5rem; }
.hf-task-name {
  appearance: none; flex: 1; min-inline-size: 0; padding: 0.2rem 0; border: 0; border-radius: 0.35rem;
  background: none; color: inherit; cursor: pointer; text-align: start; overflow-wrap: anywhere;
}
.hf .hf-task-name { font-weight: 550; }
@media (hover: hover) { .hf-task-name:hover { text-decoration: underline; text-underline-offset: 0.15em; } }
.hf-task-more-details:not([hidden]) { display: grid; gap: 0.4rem; padding-block-start: 0.2rem; }
.hf-task-more { display: block; margin: 1rem auto 1.5rem; }
.hf-task-empty { display: grid; justify-items: center; gap: 0.15rem; padding: 3.5rem 2rem; color: var(--hf-muted); text-align: center; text-wrap: balance; }
.hf-task-empty svg { inline-size: 2.5rem; block-size: 2.5rem; margin-block-end: 0.6rem; opacity: 0.55; stroke-width: 1.25; }
.hf-task-empty p { margin: 0; }
.hf-task-empty p:first-of-type { color: var(--hf-text); font-size: 1.0625rem; font-weight: 600; }
.hf-task-skeleton { display: grid; gap: 0.6rem; padding: 0.35rem 0; }
.hf-tasks > .hf-task-skeleton { padding: 1.1rem 1.25rem; }
.hf-task-skeleton span { block-size: 0.7rem; border-radius: 1rem; background: var(--hf-hover); animation: hf-task-pulse 1.4s ease-in-out infinite alternate; }
.hf-task-skeleton span:nth-child(odd) { inline-size: 45%; }
@keyframes hf-task-pulse { to { background: var(--hf-border); } }
`;
