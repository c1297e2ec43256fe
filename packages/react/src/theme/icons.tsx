import type { ReactNode } from 'react';

const paths = {
  bell: 'M6 9a6 6 0 0 1 12 0c0 5 1.5 6.5 2.5 7.5h-17C4.5 15.5 6 14 6 9Zm3.8 10.5a2.3 2.3 0 0 0 4.4 0',
  close: 'M6 6l12 12M18 6L6 18',
  check: 'M5 12.5l4.5 4.5L19 7.5',
  archive: 'M4 4.5h16v4H4zM5.5 8.5v11h13v-11M10 12.5h4',
  restore: 'M4 4.5h16v4H4zM5.5 8.5v11h13v-11M12 17v-5m-2.2 2.2L12 12l2.2 2.2',
  envelope: 'M4 6h16v12H4zM4 7l8 6 8-6',
  info: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM12 11v5.5M12 7.6v.2',
  success: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM8 12.3l2.8 2.8L16 9.5',
  warning: 'M12 3.5L22 20.5H2zM12 10v5M12 17.6v.2',
  error: 'M8.3 3h7.4L21 8.3v7.4L15.7 21H8.3L3 15.7V8.3zM12 7.5v5.5M12 16.2v.2',
  offline:
    'M3 3.5l17 17M8.5 7.5A5.5 5.5 0 0 1 17.3 11 4 4 0 0 1 19.8 17.5M16.5 18H7a4.5 4.5 0 0 1-.8-8.9',
  clock: 'M12 21a9 9 0 1 0 0-18 9 9 0 0 0 0 18ZM12 7v5.3l3.4 2',
  retry: 'M19.5 12a7.5 7.5 0 1 1-2.3-5.4M19.8 3.5v4h-4',
  stop: 'M7 7h10v10H7z',
  spinner: 'M12 3.5a8.5 8.5 0 1 0 8.5 8.5',
  settings:
    'M12 15.2a3.2 3.2 0 1 0 0-6.4 3.2 3.2 0 0 0 0 6.4ZM10.4 3.5h3.2l.5 2.3 1.7.9 2.2-.8 1.6 2.8-1.7 1.5v1.6l1.7 1.5-1.6 2.8-2.2-.8-1.7.9-.5 2.3h-3.2l-.5-2.3-1.7-.9-2.2.8-1.6-2.8 1.7-1.5v-1.6L4.4 8.7 6 5.9l2.2.8 1.7-.9z',
  back: 'M10.5 5.5L4 12l6.5 6.5M4.5 12H20',
  mute: 'M3.5 3.5l17 17M8 5a6 6 0 0 1 10 4c0 1.9.2 3.3.6 4.4M6.2 7.5 6 9c0 5-1.5 6.5-2.5 7.5h13M9.8 19.5a2.3 2.3 0 0 0 4.4 0',
  trash: 'M4.5 6.5h15M9 6.5v-2h6v2M6.5 6.5l1 13h9l1-13M10 10.5v5.5M14 10.5v5.5',
} as const;

/** Drawn with the color of the text around it; says nothing to screen readers. */
export function Icon({ name }: { readonly name: keyof typeof paths }): ReactNode {
  return (
    <svg
      viewBox="0 0 24 24"
      fill="none"
      stroke="currentColor"
      strokeWidth="1.75"
      strokeLinecap="round"
      strokeLinejoin="round"
      aria-hidden="true"
      focusable="false"
    >
      <path d={paths[name]} />
    </svg>
  );
}
