/**
 * What all components are drawn with. `--holdfast-*` belong to the application, which may set any of
 * them on any element above; `--hf-*` are what the components use.
 *
 * Colors follow the `color-scheme` of the place where a component stands: a page that declares none is
 * light, as it is itself. Rules are classes: what an application says of elements (`button`, `h2`) does
 * not reach them, and a class of its own can.
 */
export const themeCss = `
.hf {
  --hf-font: var(--holdfast-font, ui-sans-serif, system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif);
  --hf-surface: var(--holdfast-surface, light-dark(#ffffff, #17191c));
  --hf-hover: var(--holdfast-hover, light-dark(#f4f5f7, #212429));
  --hf-text: var(--holdfast-text, light-dark(#1a1d21, #e9ebee));
  --hf-muted: var(--holdfast-muted, light-dark(#5a636e, #a0a8b3));
  --hf-border: var(--holdfast-border, light-dark(#e2e5e9, #30353c));
  --hf-accent: var(--holdfast-accent, light-dark(#2457d6, #8ab0ff));
  --hf-on-accent: var(--holdfast-on-accent, light-dark(#ffffff, #0c1633));
  --hf-tint: var(--holdfast-tint, light-dark(#f2f6ff, #1a2234));
  --hf-badge: var(--holdfast-badge, #cf2338);
  --hf-on-badge: var(--holdfast-on-badge, #ffffff);
  --hf-info: var(--holdfast-info, light-dark(#2457d6, #8ab0ff));
  --hf-success: var(--holdfast-success, light-dark(#16753f, #5dcb8d));
  --hf-warning: var(--holdfast-warning, light-dark(#8f5600, #f0b455));
  --hf-error: var(--holdfast-error, light-dark(#c02032, #ff8b93));
  --hf-radius: var(--holdfast-radius, 0.625rem);
  --hf-shadow: var(--holdfast-shadow, 0 0.25rem 2.5rem light-dark(#10182833, #00000099));
  box-sizing: border-box;
  color: var(--hf-text);
  font: 0.9375rem / 1.45 var(--hf-font);
  -webkit-text-size-adjust: 100%;
}
.hf *, .hf *::before, .hf *::after { box-sizing: border-box; }
.hf :is(button, input, a) { font: inherit; }
.hf :is(button, a, input):focus-visible, .hf:is(button):focus-visible {
  outline: 2px solid var(--hf-accent);
  outline-offset: 2px;
}
.hf svg { display: block; inline-size: 1.25em; block-size: 1.25em; flex: none; }
.hf-hidden {
  position: absolute; inline-size: 1px; block-size: 1px; margin: -1px; padding: 0; border: 0;
  overflow: hidden; clip-path: inset(50%); white-space: nowrap;
}
.hf-button, .hf-icon-button {
  appearance: none; border: 1px solid transparent; border-radius: calc(var(--hf-radius) * 0.8);
  background: none; color: inherit; cursor: pointer;
}
.hf-button { padding: 0.3rem 0.65rem; font-weight: 550; color: var(--hf-accent); }
.hf-button.hf-solid { border-color: var(--hf-border); color: var(--hf-text); }
.hf-icon-button {
  display: inline-grid; place-items: center; inline-size: 2.125rem; block-size: 2.125rem; padding: 0;
  color: var(--hf-muted);
}
@media (hover: hover) {
  .hf :is(.hf-button, .hf-icon-button):hover { background: var(--hf-hover); color: var(--hf-text); }
}
.hf :is(.hf-button, .hf-icon-button):is(:disabled, [aria-disabled='true']) {
  opacity: 0.45; cursor: default; background: none;
}
@media (pointer: coarse) {
  .hf-icon-button { inline-size: 2.75rem; block-size: 2.75rem; }
  .hf-button { min-block-size: 2.75rem; }
}
@media (prefers-reduced-motion: reduce) {
  .hf, .hf *, .hf::backdrop { animation: none !important; transition: none !important; }
}
`;
