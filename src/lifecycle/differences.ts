/** What tells the brokers of one workspace apart. Undefined where a record does not say. */
export interface Distinction {
  readonly codexHome: string;
  readonly codex: string;
  readonly label?: string | null | undefined;
  readonly private?: boolean | undefined;
  /** Salted hashes by name; the salt is the workspace. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
}

/** Returns, in words, what one broker has that at least one of the others does not share. */
export function differencesOf(one: Distinction, others: readonly Distinction[]): string[] {
  const isShared = (read: (each: Distinction) => unknown): boolean => {
    const own = read(one);
    return others.every((each) => {
      const other = read(each);
      return own === undefined || other === undefined || own === other;
    });
  };
  const words: string[] = [];
  if (!isShared(({ codexHome }) => codexHome)) words.push(`CODEX_HOME ${one.codexHome}`);
  if (!isShared(({ codex }) => codex)) words.push(`codex ${one.codex}`);
  if (!isShared(({ label }) => label)) {
    words.push(typeof one.label === "string" ? `label ${JSON.stringify(one.label)}` : "no label");
  }
  for (const name of namesIn([one, ...others])) {
    const valueIn = ({ environment }: Distinction): string | null | undefined =>
      environment === undefined ? undefined : (environment[name] ?? null);
    if (isShared(valueIn)) continue;
    if (valueIn(one) === null) words.push(`no ${name}`);
    else words.push(others.some((each) => valueIn(each) === null) ? name : `another ${name}`);
  }
  if (one.private === true) words.push("private");
  return words;
}

function namesIn(all: readonly Distinction[]): string[] {
  return [...new Set(all.flatMap(({ environment = {} }) => Object.keys(environment)))].toSorted();
}
