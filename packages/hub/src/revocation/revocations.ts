import { type Disconnect, disconnects, replyErrors, unsubscribeCodes } from '@holdfast/protocol';
import type { Cluster } from '../cluster.ts';
import { unsubscribe } from '../end-subscription.ts';
import type { TokenIdentity } from '../events.ts';
import type { HubContext } from '../hub-context.ts';
import { fromJsonBytes, toJsonBytes } from '../json-bytes.ts';
import type { Revocation, RevocationStore } from '../ports/revocation-store.ts';
import { isInForce, type RevocationPage, RevocationTable } from './revocation-table.ts';

const pageSize = 1_000;
/** Longest user id or token id; tokens are not longer than a few kilobytes anyway. */
const maxSubjectLength = 1_024;

/** Unix seconds, in the past whatever the clock says. */
const longAgo = 1;

type RevokingHub = Pick<HubContext, 'sessions' | 'clock' | 'logger' | 'options' | 'metrics'>;

/**
 * Users and tokens that are not to be let in, on every node.
 *
 * A change is stored, then every node is asked to carry it out: it ends the connections concerned and
 * refuses new ones. Nodes that meet give each other all they know, so that one which was away, or
 * has just started, catches up.
 */
export class Revocations {
  readonly #hub: RevokingHub;
  readonly #cluster: Cluster;
  readonly #store: RevocationStore;
  readonly #table = new RevocationTable();

  constructor(
    hub: RevokingHub,
    { cluster, store }: { readonly cluster: Cluster; readonly store: RevocationStore },
  ) {
    this.#hub = hub;
    this.#cluster = cluster;
    this.#store = store;
    cluster.handle('revoke', (params) => {
      this.#apply(fromJsonBytes(params) as Revocation);
      return new Uint8Array(0);
    });
    cluster.handle('revocations', (params) =>
      toJsonBytes(this.#table.page(fromJsonBytes(params) as number, pageSize)),
    );
  }

  /** Before connections are accepted. */
  async start(): Promise<void> {
    for (const revocation of await this.#store.load()) this.#apply(revocation);
  }

  /** Takes over what another node knows. */
  async learnFrom(nodeId: string): Promise<void> {
    let after: number | undefined = 0;
    try {
      while (after !== undefined) {
        const answer = await this.#cluster.ask(nodeId, {
          method: 'revocations',
          params: toJsonBytes(after),
        });
        const page = fromJsonBytes(answer) as RevocationPage;
        for (const revocation of page.revocations) this.#apply(revocation);
        after = page.after;
      }
    } catch (error) {
      this.#hub.logger.warn(
        { err: error, node: nodeId },
        'blocked users and revoked tokens of a node could not be read; those made while this node was away may be missing here',
      );
    }
  }

  /**
   * Makes a revocation known everywhere.
   *
   * @throws ReplyError 107 for a subject or time that cannot be, 106 when there are too many
   * @throws Error when a node did not confirm it in time; repeating it is safe
   */
  async revoke(revocation: Omit<Revocation, 'changedAt'>): Promise<void> {
    const { subject, expireAt, issuedBefore = 0 } = revocation;
    const isPossible =
      subject !== '' &&
      subject.length <= maxSubjectLength &&
      isTime(expireAt) &&
      isTime(issuedBefore);
    if (!isPossible) throw replyErrors.badRequest;
    const known = this.#table.get(revocation.kind, subject);
    // Forgetting an older one instead would let somebody in again.
    if (known === undefined && !this.#makeRoom()) throw replyErrors.limitExceeded;
    const changedAt = Math.max(this.#hub.clock.now(), (known?.changedAt ?? 0) + 1);
    const change: Revocation = { ...revocation, changedAt };
    await this.#store.put(change);
    const nodes = this.#cluster.nodes().length;
    const answers = await this.#cluster.askAll('revoke', toJsonBytes(change));
    if (answers.length < nodes) {
      throw new Error(
        `${nodes - answers.length} of ${nodes} nodes did not confirm that a ${change.kind} is revoked, or no longer; it holds on the others; do it again`,
      );
    }
  }

  /** Undoes {@link revoke}; nothing happens when there is nothing to undo. Same errors. */
  lift(kind: Revocation['kind'], subject: string): Promise<void> {
    return this.revoke({ kind, subject, expireAt: longAgo });
  }

  /** Why a connection with these credentials is not to be. */
  refusalOf(user: string, token: TokenIdentity | undefined): Disconnect | undefined {
    const now = this.#hub.clock.now();
    if (user !== '' && this.#table.find('user', user, now) !== undefined) {
      return this.#refuse('blocked', disconnects.permissionDenied);
    }
    return token !== undefined && this.isRevoked(user, token)
      ? this.#refuse('token_revoked', disconnects.invalidToken)
      : undefined;
  }

  #refuse(reason: string, disconnect: Disconnect): Disconnect {
    this.#hub.metrics.revokedConnections.add(reason);
    return disconnect;
  }

  /** Whether a token of this user counts no more. */
  isRevoked(user: string, { id = '', issuedAt = 0 }: TokenIdentity): boolean {
    const now = this.#hub.clock.now();
    if (id !== '' && this.#table.find('token', id, now) !== undefined) return true;
    const { issuedBefore = 0 } = this.#table.find('tokens_of_user', user, now) ?? {};
    return issuedAt < issuedBefore;
  }

  /** False when there is none. */
  #makeRoom(): boolean {
    const { clock, options } = this.#hub;
    if (this.#table.size >= options.revocationLimit) this.#table.sweep(clock.now());
    return this.#table.size < options.revocationLimit;
  }

  #apply(revocation: Revocation): void {
    this.#makeRoom();
    if (!this.#table.put(revocation)) return;
    this.#hub.metrics.revocations = this.#table.size;
    if (!isInForce(revocation, this.#hub.clock.now())) return;
    if (revocation.kind === 'token') this.#endWith(revocation.subject);
    else this.#endOf(revocation.subject);
  }

  /** Ends what a user may no longer have. */
  #endOf(user: string): void {
    for (const session of this.#hub.sessions.select({ user })) {
      const refusal = this.refusalOf(user, session.token);
      if (refusal !== undefined) {
        session.close(refusal);
        continue;
      }
      for (const subscription of session.subscriptions.values()) {
        const { token } = subscription.grant;
        if (token === undefined || !this.isRevoked(user, token)) continue;
        unsubscribe(subscription, unsubscribeCodes.server);
      }
    }
  }

  /** Ends what was made with one token. */
  #endWith(tokenId: string): void {
    for (const session of this.#hub.sessions.values()) {
      if (session.token?.id === tokenId) {
        session.close(this.#refuse('token_revoked', disconnects.invalidToken));
        continue;
      }
      for (const subscription of session.subscriptions.values()) {
        if (subscription.grant.token?.id !== tokenId) continue;
        unsubscribe(subscription, unsubscribeCodes.server);
      }
    }
  }
}

function isTime(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}
