import { html } from 'hono/html';
import type { ApiReference, ReferenceMember, ReferenceOperation } from './api-reference.ts';

type Html = ReturnType<typeof html>;

/** The API reference as a page. Needs nothing but the style sheet of this server. */
export function renderReferencePage({
  title,
  version,
  description,
  operations,
}: ApiReference): Html {
  const publishPath = operations.find(({ id }) => id === 'publish')?.path;
  const example = `curl http://localhost:8000${publishPath} -H 'X-API-Key: …' -d '{"channel":"news","data":{"text":"hello"}}'`;
  return html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <title>${title}</title>
        <link rel="icon" href="/assets/icon.svg" type="image/svg+xml" />
        <link rel="stylesheet" href="/assets/style.css" />
      </head>
      <body>
        <a class="skip" href="#main">Skip to content</a>
        <header class="bar">
          <a class="brand" href="/">
            <img src="/assets/icon.svg" alt="" width="28" height="28" />
            Holdfast <small>${version}</small>
          </a>
          <a href="/openapi.json">openapi.json</a>
        </header>
        <main id="main" class="page reference">
          <h1>${title}</h1>
          <p>${withCode(description)}</p>
          <pre>${example}</pre>
          <nav aria-label="Methods">
            <ul>
              ${operations.map(({ id }) => html`<li><a href="#${id}">${id}</a></li>`)}
            </ul>
          </nav>
          ${operations.map(renderOperation)}
        </main>
      </body>
    </html>`;
}

function renderOperation(operation: ReferenceOperation): Html {
  const { id, verb, path, summary, request, result, statuses } = operation;
  const answers = statuses.map(([status, meaning]) => `${status} ${meaning}`).join('; ');
  return html`<section class="card" id="${id}">
    <header>
      <h2><span class="mono">${verb} ${path}</span></h2>
    </header>
    <p>${withCode(summary)}</p>
    ${request ? renderMembers('Request', request) : html`<p>Answers: ${withCode(answers)}</p>`}
    ${result ? renderMembers('Result', result) : ''}
  </section>`;
}

function renderMembers(title: string, members: readonly ReferenceMember[]): Html {
  if (members.length === 0) return html`<p class="muted">${title}: no members</p>`;
  return html`<div class="scroll">
    <table>
      <thead>
        <tr>
          <th scope="col">${title}</th>
          <th scope="col">Type</th>
          <th scope="col">Meaning</th>
        </tr>
      </thead>
      <tbody>
        ${members.map(
          ({ name, type, isRequired, description }) =>
            html`<tr>
              <td>
                <code>${name}</code>
                ${isRequired && title === 'Request' ? html`<span class="muted">required</span>` : ''}
              </td>
              <td>${type}</td>
              <td>${withCode(description)}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** Turns what stands between backticks into code. */
function withCode(text: string): readonly (string | Html)[] {
  return text
    .split('`')
    .map((part, index) => (index % 2 === 0 ? part : html`<code>${part}</code>`));
}
