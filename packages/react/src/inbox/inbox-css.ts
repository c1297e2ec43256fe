/** Rules of the bell, the drawer and the panel; colors are the theme's. */
export const inboxCss = `
.hf-bell {
  appearance: none; position: relative; display: inline-grid; place-items: center;
  inline-size: 2.5rem; block-size: 2.5rem; padding: 0; border: 0; border-radius: 50%;
  background: none; color: inherit; cursor: pointer;
}
@media (hover: hover) { .hf-bell:hover { background: color-mix(in srgb, currentColor 9%, transparent); } }
.hf-bell svg { inline-size: 1.5rem; block-size: 1.5rem; }
.hf-badge {
  position: absolute; inset-block-start: 0.05rem; inset-inline-start: 52%;
  min-inline-size: 1.2rem; padding: 0 0.28rem; border-radius: 1rem; border: 1px solid transparent;
  background: var(--hf-badge); color: var(--hf-on-badge);
  font-size: 0.71875rem; font-weight: 650; line-height: 1.1rem; text-align: center;
  font-variant-numeric: tabular-nums;
}
.hf-drawer {
  position: fixed; inset: 0 0 0 auto; inline-size: min(27rem, 100%); block-size: 100%;
  max-inline-size: none; max-block-size: none; margin: 0; padding: 0; border: 0;
  background: var(--hf-surface); color: var(--hf-text); box-shadow: var(--hf-shadow);
  overflow: hidden; overscroll-behavior: contain;
}
.hf-drawer[open] { display: flex; animation: hf-slide 0.22s cubic-bezier(0.2, 0.9, 0.3, 1); }
.hf-drawer::backdrop { background: rgb(10 14 22 / 0.42); animation: hf-fade 0.22s; }
.hf-drawer:dir(rtl) { inset: 0 auto 0 0; --hf-from: -2.5rem; }
@keyframes hf-slide { from { transform: translateX(var(--hf-from, 2.5rem)); opacity: 0; } }
@keyframes hf-fade { from { opacity: 0; } }

.hf-panel {
  display: flex; flex-direction: column; flex: 1; min-inline-size: 0; min-block-size: 0;
  background: var(--hf-surface); container-type: inline-size;
}
.hf-head {
  display: flex; align-items: center; gap: 0.25rem;
  padding-block: 0.875rem 0.5rem; padding-inline: 1.25rem 0.875rem;
}
.hf-head h2 {
  flex: 1; margin: 0; font: 650 1.1875rem / 1.3 var(--hf-font); letter-spacing: -0.01em;
  overflow-wrap: break-word; color: inherit;
}
/* On a small phone the head stays one line. */
@container (inline-size < 24.5rem) {
  .hf-head { gap: 0; padding-inline-end: 0.4rem; }
  .hf-head .hf-button { padding-inline: 0.3rem; }
  .hf .hf-head .hf-button:focus-visible { outline-offset: -2px; }
}
/* With large text it cannot. */
@container (inline-size < 16rem) { .hf-head { flex-wrap: wrap; } }
.hf-filters {
  display: flex; flex-wrap: wrap; gap: 0.25rem; margin: 0; padding: 0 1rem 0.75rem; border: 0;
  border-block-end: 1px solid var(--hf-border);
}
.hf-filters label { position: relative; cursor: pointer; }
.hf-filters input { position: absolute; inset: 0; opacity: 0; margin: 0; cursor: pointer; }
.hf-filters label > span {
  display: flex; align-items: baseline; gap: 0.4rem; padding: 0.25rem 0.75rem;
  border: 1px solid transparent; border-radius: 2rem; color: var(--hf-muted); font-weight: 550;
}
.hf-filters label:hover > span { background: var(--hf-hover); }
.hf-filters input:checked + span {
  background: var(--hf-tint); color: var(--hf-accent); border-color: currentColor;
}
@media (forced-colors: active) {
  .hf-filters input:checked + span {
    forced-color-adjust: none; background: Highlight; color: HighlightText; border-color: Highlight;
  }
}
.hf-filters input:focus-visible + span { outline: 2px solid var(--hf-accent); outline-offset: 2px; }
.hf-count { font-size: 0.8125rem; font-variant-numeric: tabular-nums; }

.hf-notice {
  display: flex; align-items: center; gap: 0.75rem; margin: 0; padding: 0.6rem 1.25rem;
  border-block-end: 1px solid var(--hf-border); background: var(--hf-hover); color: var(--hf-muted);
}
.hf-notice.hf-problem { color: var(--hf-error); }
.hf-notice .hf-button { margin-inline-start: auto; }
.hf-notice:has(.hf-failed) { align-items: start; }
.hf-failed { flex: 1; min-inline-size: 0; }
.hf-failed p { margin: 0; overflow-wrap: anywhere; }
.hf-failed .hf-failed-what {
  color: var(--hf-muted); font-size: 0.8125rem;
  display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden;
}
/* Where the drawer comes from. */
.hf-toast {
  position: fixed; inset-block: auto 1rem; inset-inline: auto 1rem; z-index: 1;
  inline-size: min(25rem, 100% - 2rem); block-size: fit-content; margin: 0;
  display: flex; gap: 0.75rem; padding-block: 0.75rem; padding-inline: 1rem 0.5rem;
  border: 1px solid var(--hf-border); border-radius: var(--hf-radius);
  background: var(--hf-surface); color: var(--hf-text); box-shadow: var(--hf-shadow);
  animation: hf-fade 0.22s;
}
:is(.hf-toast, .hf-notice:has(.hf-failed)) > svg { margin-block-start: 0.1rem; color: var(--hf-error); }
.hf-toast .hf-icon-button { margin-block: -0.35rem; }
/* Shown only when it takes a while. */
.hf-late { animation: hf-late 0.2s 0.8s backwards; }
@keyframes hf-late { from { opacity: 0; } }

.hf-scroll { flex: 1; min-block-size: 0; overflow-y: auto; overscroll-behavior: contain; }
.hf-list { margin: 0; padding: 0; list-style: none; }
.hf-item {
  position: relative; display: flex; gap: 0.75rem;
  padding-block: 0.8rem 0.6rem; padding-inline: 1.25rem 1.1rem;
  /* A thousand of them are laid out as they come into view. */
  content-visibility: auto; contain-intrinsic-block-size: auto 6.25rem;
}
/* At the beginning: where pixels are no whole ones, the background of the next would cover the end. */
.hf-item + .hf-item { border-block-start: 1px solid var(--hf-border); }
.hf-item:last-child { border-block-end: 1px solid var(--hf-border); }
.hf-item[data-unread='true'] { background: var(--hf-tint); }
@media (hover: hover) { .hf-item:hover { background: var(--hf-hover); } }
.hf-severity { padding-block-start: 0.1rem; color: var(--hf-info); }
.hf-item[data-severity='success'] .hf-severity { color: var(--hf-success); }
.hf-item[data-severity='warning'] .hf-severity { color: var(--hf-warning); }
.hf-item[data-severity='error'] .hf-severity { color: var(--hf-error); }
.hf-text { flex: 1; min-inline-size: 0; }
.hf-title { margin: 0; font: inherit; font-weight: 450; letter-spacing: normal; color: inherit; }
.hf-item[data-unread='true'] .hf-title { font-weight: 620; }
.hf-headline {
  appearance: none; display: block; inline-size: 100%; padding: 0; border: 0; background: none;
  color: inherit; text-align: start; text-decoration: none; cursor: pointer;
  overflow-wrap: anywhere;
}
/* All of the notification is the link, except for what lies above it. */
.hf-headline::after { content: ''; position: absolute; inset: 0; }
.hf .hf-headline:focus-visible { outline: none; }
.hf-headline:focus-visible::after { outline: 2px solid var(--hf-accent); outline-offset: -3px; border-radius: 0.4rem; }
.hf-headline:hover > span:last-child { text-decoration: underline; text-underline-offset: 0.15em; }
.hf-unread {
  float: inline-end; inline-size: 0; block-size: 0; margin-block-start: 0.4em; margin-inline: 0.6rem 0.1rem;
  border: 0.28rem solid var(--hf-accent); border-radius: 50%;
}
.hf-body {
  margin: 0.15rem 0 0; color: var(--hf-muted); overflow-wrap: anywhere; white-space: pre-line;
  display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 3; overflow: hidden;
}
.hf-headline > span:last-child {
  display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 3; overflow: hidden;
}
.hf-item:has([aria-expanded='true']) .hf-body, [aria-expanded='true'] > span:last-child { display: block !important; }
.hf-foot { display: flex; align-items: center; gap: 0.5rem; min-block-size: 2rem; }
.hf-meta {
  flex: 1; display: flex; flex-wrap: wrap; min-inline-size: 0; margin: 0; margin-inline-start: -1rem;
  color: var(--hf-muted); font-size: 0.8125rem; overflow-wrap: anywhere;
  /* A dot at the beginning of a line separates nothing. */
  clip-path: inset(0 0 0 1rem);
}
.hf-meta:dir(rtl) { clip-path: inset(0 1rem 0 0); }
.hf-meta > * { position: relative; padding-inline-start: 1rem; }
.hf-meta > ::before { content: '·' / ''; position: absolute; inset-inline-start: 0.36rem; }
.hf-meta time { position: relative; z-index: 1; }
.hf-group { font-variant-numeric: tabular-nums; }
.hf-actions { position: relative; z-index: 1; display: flex; gap: 0.15rem; margin: -0.4rem; }
@media (hover: hover) {
  .hf-actions { opacity: 0; }
  .hf-item:is(:hover, :focus-within) .hf-actions { opacity: 1; }
  .hf-actions .hf-icon-button:hover { background: color-mix(in srgb, currentColor 10%, transparent); }
}

.hf-icon-button[data-icon='back'] { margin-inline-start: -0.5rem; }
.hf-icon-button[data-icon='back']:dir(rtl) svg { transform: scaleX(-1); }
.hf-head-alone { padding-block-end: 0.75rem; border-block-end: 1px solid var(--hf-border); }
.hf-setting { padding: 0.9rem 1.25rem 1rem; border-block-end: 1px solid var(--hf-border); }
.hf-setting:last-child { border-block-end: 0; }
.hf-setting-head { display: flex; align-items: center; gap: 0.5rem; margin-inline-end: -0.4rem; min-block-size: 2.125rem; }
.hf-setting h3 {
  flex: 1; margin: 0; min-inline-size: 0; font: inherit; font-weight: 600; color: inherit;
  letter-spacing: normal; overflow-wrap: anywhere;
}
.hf-setting-hint { margin: 0; color: var(--hf-muted); font-size: 0.8125rem; overflow-wrap: anywhere; }
.hf-setting-head + .hf-setting-hint { margin-block-start: -0.25rem; }
.hf-setting-muted { margin: 0 0 0.25rem; color: var(--hf-warning); font-size: 0.8125rem; }
.hf-mute {
  display: flex; flex-wrap: wrap; align-items: center; gap: 0.4rem; margin-block: 0.25rem 0.5rem;
  color: var(--hf-muted); font-size: 0.8125rem;
}
.hf-checks { display: flex; flex-wrap: wrap; gap: 0 1.5rem; margin-block-start: 0.3rem; }
.hf-check { padding-block: 0.2rem; }
.hf-check label { display: inline-flex; align-items: center; gap: 0.55rem; cursor: pointer; }
.hf-check input {
  flex: none; inline-size: 1.1rem; block-size: 1.1rem; margin: 0; accent-color: var(--hf-accent); cursor: pointer;
}
.hf-check .hf-setting-hint { padding-inline-start: 1.65rem; }
.hf-times { display: flex; flex-wrap: wrap; gap: 0.5rem 1.25rem; margin-block: 0.5rem; padding-inline-start: 1.65rem; }
.hf-times label { display: inline-flex; align-items: center; gap: 0.55rem; }
.hf-times span { min-inline-size: 2.5rem; }
.hf-times + .hf-setting-hint { padding-inline-start: 1.65rem; }
.hf-field {
  padding: 0.3rem 0.5rem; border: 1px solid var(--hf-border); border-radius: calc(var(--hf-radius) * 0.8);
  background: var(--hf-surface); color: inherit;
}
@media (pointer: coarse) { .hf-check label, .hf-field { min-block-size: 2.75rem; } }

.hf-more { display: block; margin: 1rem auto 1.5rem; }
.hf-empty {
  display: grid; justify-items: center; gap: 0.15rem; padding: 4.5rem 2rem; color: var(--hf-muted);
  text-align: center; text-wrap: balance;
}
.hf-empty svg { inline-size: 3rem; block-size: 3rem; margin-block-end: 0.75rem; opacity: 0.55; stroke-width: 1.25; }
.hf-empty p { margin: 0; }
.hf-empty .hf-empty-title { color: var(--hf-text); font-size: 1.0625rem; font-weight: 600; }
.hf-skeleton > div { display: grid; gap: 0.55rem; padding: 1.1rem 1.25rem; border-block-end: 1px solid var(--hf-border); }
.hf-skeleton span { block-size: 0.7rem; border-radius: 1rem; background: var(--hf-hover); animation: hf-pulse 1.4s ease-in-out infinite alternate; }
.hf-skeleton span:nth-child(1) { inline-size: 55%; }
.hf-skeleton span:nth-child(2) { inline-size: 88%; }
.hf-skeleton span:nth-child(3) { inline-size: 24%; }
@keyframes hf-pulse { to { background: var(--hf-border); } }
`;
