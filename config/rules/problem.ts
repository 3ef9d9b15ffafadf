/** A rule that is broken. */
export interface Problem {
  readonly path: readonly (string | number)[];
  readonly message: string;
  readonly fix: string;
  /** The other setting of the rule. */
  readonly other: readonly (string | number)[];
}
