import type { IConstruct } from 'constructs';

/** A construct was given props that cannot work. Thrown while the app is built; nothing has been touched. */
export class DeclarationError extends Error {
  override readonly name = 'DeclarationError';

  /**
   * @param scope the construct that refuses
   * @param problem which property, the rule, the value got
   * @param fix what to write instead
   */
  constructor(scope: IConstruct, problem: string, fix?: string) {
    super(`${scope.node.path}: ${problem}${fix === undefined ? '' : `. ${fix}`}`);
  }
}
