/** A piece of work with a name, which a command can show while it goes on. */

/** What a step needs from whoever runs it. */
export interface StepContext {
  /** Shows what is going on at the moment. */
  readonly report: (detail: string) => void;
  /** Shows a part that is done, and leaves it on the screen. */
  readonly announce: (line: string) => void;
  /** Aborted when the user interrupts; the step then leaves nothing half-done. */
  readonly signal: AbortSignal;
}

export interface Step {
  readonly title: string;
  /** Asked just before it would run: `false` for a step that this machine does not need. */
  readonly applies?: () => boolean;
  /** Does the work, or finds it done; what it returns is shown beside the title. */
  readonly run: (context: StepContext) => Promise<string | undefined>;
}
