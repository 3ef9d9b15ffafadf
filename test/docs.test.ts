/** Pages for people: links lead somewhere, and lines and tables fit into a terminal. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { projectRoot } from '../operations/lib/project-root';

const LINE = 120;
const TABLE = 100;

const pages = (folder: string): string[] =>
  readdirSync(path.join(projectRoot, folder))
    .filter((file) => file.endsWith('.md'))
    .map((file) => path.join(folder, file));
const read = (page: string): string => readFileSync(path.join(projectRoot, page), 'utf8');
const withoutCode = (text: string): string => text.replaceAll(/^ *```.*?^ *```/gms, '');

const decisions = pages('docs/adr');
const guides = [
  ...pages('.'),
  ...pages('docs'),
  ...pages('docs/clients'),
  ...pages('examples/github-actions'),
  ...pages('examples/gitlab-ci'),
];

/** As GitHub and GitLab make them. */
const anchors = (page: string): string[] =>
  [...withoutCode(read(page)).matchAll(/^#+ (.*)$/gm)].map(([, title = '']) =>
    title
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  );

test.each([...guides, ...decisions])('%s links to files and headings that exist', (page) => {
  const links = [...withoutCode(read(page)).matchAll(/\]\(([^)\s]+)\)/g)].map(([, link = '']) => link);
  const broken = links
    .filter((link) => !/^[a-z]+:/.test(link))
    .filter((link) => {
      const [file = '', anchor] = link.split('#');
      const target = file === '' ? page : path.join(path.dirname(page), file);
      if (!existsSync(path.join(projectRoot, target))) return true;
      return anchor !== undefined && !anchors(target).includes(anchor);
    });
  expect(broken).toEqual([]);
});

test.each(guides)(`%s has no line of more than ${LINE} characters, and no table wider than ${TABLE}`, (page) => {
  const wide = read(page)
    .split('\n')
    .filter((line) => line.length > (line.startsWith('|') ? TABLE : LINE));
  expect(wide).toEqual([]);
});
