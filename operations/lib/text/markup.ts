/** Writes XML, HTML and SVG so that what is put in can only ever be text. */

import { printable } from './printable';

/** Text that is markup already. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Content = Markup | string | number | undefined | readonly Content[];

/** Markup from a template: what is put in is escaped, unless it is markup itself; `undefined` is nothing. */
export function markup(strings: TemplateStringsArray, ...contents: readonly Content[]): Markup {
  return new Markup(strings.map((text, index) => `${text}${textOf(contents[index])}`).join(''));
}

function textOf(content: Content): string {
  if (content === undefined) return '';
  if (content instanceof Markup) return content.text;
  if (typeof content === 'object') return content.map(textOf).join('');
  return printable(String(content)).replaceAll(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);
}
