import type { ReactNode } from 'react';
import { themeCss } from './theme-css.ts';

export interface ThemeStyleProps {
  /** Names a component's own rules. */
  readonly name: string;
  readonly css: string;
  /** Of the page's Content-Security-Policy, where that asks for one. */
  readonly nonce?: string | undefined;
}

/**
 * Puts the theme and a component's rules into the page's head, once however many components there
 * are; on a server into the markup.
 */
export function ThemeStyle({ name, css, nonce }: ThemeStyleProps): ReactNode {
  return (
    <>
      <style href="holdfast-theme" precedence="holdfast" nonce={nonce}>
        {themeCss}
      </style>
      <style href={`holdfast-${name}`} precedence="holdfast" nonce={nonce}>
        {css}
      </style>
    </>
  );
}
