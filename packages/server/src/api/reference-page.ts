import { html } from 'hono/html';
import type { JsonSchema, OpenApiDocument } from './open-api.ts';

type Html = ReturnType<typeof html>;

/** The OpenAPI document as a page for people. Needs nothing but the style sheet of this server. */
export function renderReferencePage(document: OpenApiDocument): Html {
  const operations = Object.entries(document.paths).flatMap(([path, { get, post }]) => {
    const operation = post ?? get;
    return operation ? [{ path, verb: post ? 'POST' : 'GET', operation }] : [];
  });
  const { title, version, description } = document.info;
  const publishPath = operations.find(({ operation }) => operation.operationId === 'publish')?.path;
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
              ${operations.map(
                ({ operation }) =>
                  html`<li>
                    <a href="#${operation.operationId}">${operation.operationId}</a>
                  </li>`,
              )}
            </ul>
          </nav>
          ${operations.map(({ path, verb, operation }) => {
            const request = operation.requestBody?.content['application/json'].schema;
            return html`<section class="card" id="${operation.operationId}">
              <header>
                <h2><span class="mono">${verb} ${path}</span></h2>
              </header>
              <p>${withCode(operation.summary)}</p>
              ${request ? renderMembers('Request', resolve(document, request)) : ''}
              ${
                request
                  ? renderMembers('Result', resultOf(document, operation.operationId))
                  : html`<p>
                      Answers:
                      ${Object.entries(operation.responses)
                        .map(([status, response]) => `${status} ${describe(response)}`)
                        .join('; ')}
                    </p>`
              }
            </section>`;
          })}
        </main>
      </body>
    </html>`;
}

/** Turns what stands between backticks into code. */
function withCode(text: string): readonly (string | Html)[] {
  return text
    .split('`')
    .map((part, index) => (index % 2 === 0 ? part : html`<code>${part}</code>`));
}

function describe(response: object): string {
  return 'description' in response ? String(response.description) : '';
}

function resolve(document: OpenApiDocument, schema: JsonSchema): JsonSchema {
  const name = schema.$ref?.split('/').at(-1);
  return name === undefined ? schema : (document.components.schemas[name] ?? schema);
}

function resultOf(document: OpenApiDocument, operationId: string): JsonSchema {
  const name = `${operationId.replaceAll('_', '')}result`;
  const schemas = Object.entries(document.components.schemas);
  return schemas.find(([id]) => id.toLowerCase() === name)?.[1] ?? {};
}

function renderMembers(title: string, schema: JsonSchema): Html {
  const members = Object.entries(schema.properties ?? {});
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
          ([name, member]) =>
            html`<tr>
              <td>
                <code>${name}</code>${
                  schema.required?.includes(name) === true
                    ? html` <span class="muted">required</span>`
                    : ''
                }
              </td>
              <td>${typeOf(member)}</td>
              <td>${withCode(member.description ?? '')}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </div>`;
}

/** A type in a few words: `list of {result, error}`. */
function typeOf(schema: JsonSchema): string {
  if (schema.$ref !== undefined) return schema.$ref.split('/').at(-1) ?? '';
  if (schema.type === 'array') return `list of ${typeOf(schema.items ?? {})}`;
  if (schema.type === 'object') {
    if (schema.properties) return `{${Object.keys(schema.properties).join(', ')}}`;
    const values = schema.additionalProperties;
    return typeof values === 'object' ? `map of ${typeOf(values)}` : 'object';
  }
  if (schema.contentEncoding !== undefined) return schema.contentEncoding;
  return schema.type ?? 'any JSON';
}
