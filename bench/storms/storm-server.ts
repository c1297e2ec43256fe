/** A server that can be cut off from all its clients, and come back. */
export interface StormServer {
  readonly port: number;
  /** Publishes while the server is up or down. */
  publish(text: string): Promise<void>;
  /** Ends every connection without a word, and listens no more. */
  goDown(): Promise<void>;
  comeUp(): Promise<void>;
  stats(): StormStats;
}

export interface StormStats {
  readonly brokerReads: number;
  readonly readers: number;
  readonly refused: number;
}

export interface StormServerSettings {
  /** For holdfast. */
  readonly hasAdmission: boolean;
}
