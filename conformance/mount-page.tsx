import { type ReactNode, StrictMode } from 'react';
import { createRoot } from 'react-dom/client';

const { document } = globalThis as unknown as {
  readonly document: { getElementById(id: string): never };
};

/** Shows the content of a page, mounted twice as StrictMode does. */
export function mountPage(content: ReactNode): void {
  createRoot(document.getElementById('root')).render(<StrictMode>{content}</StrictMode>);
}
