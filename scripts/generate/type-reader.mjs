// Reads the type declarations that codex writes: enough of the language to tell which properties
// a message has. TypeScript 7 has no programming interface, and these files use little of it.

/**
 * @typedef {{kind: "object", properties: Map<string, Property>, values: Type[]}
 *   | {kind: "name", name: string}
 *   | {kind: "generic", name: string, of: Type[]}
 *   | {kind: "literal", value: string}
 *   | {kind: "array", of: Type}
 *   | {kind: "union", of: Type[]}
 *   | {kind: "intersection", of: Type[]}} Type
 * @typedef {{type: Type, optional: boolean}} Property
 *
 * `values` of an object are those of a dictionary in it.
 */

const token =
  /\/\*[\s\S]*?\*\/|\/\/[^\n]*|"(?:[^"\\]|\\.)*"|[A-Za-z_$][\w$]*|\d+|[{}()[\]<>|&,:?;]/g;

/**
 * Parses one type expression.
 * @param {string} source
 * @param {(name: string) => string} qualify says in full which type a name stands for
 * @returns {Type}
 */
export function readType(source, qualify) {
  const tokens = (source.match(token) ?? []).filter((part) => !/^\/[*/]/.test(part));
  let at = 0;

  const peek = () => tokens[at];
  const next = () => {
    const part = tokens[at];
    if (part === undefined) throw new Error(`unexpected end of type: ${source.slice(0, 200)}`);
    at += 1;
    return part;
  };
  /** @param {string} wanted */
  const skip = (wanted) => {
    if (peek() !== wanted) return false;
    at += 1;
    return true;
  };
  /** @param {string} wanted */
  const expect = (wanted) => {
    const part = next();
    if (part !== wanted) {
      throw new Error(`expected ${wanted}, found ${part} in type: ${source.slice(0, 200)}`);
    }
  };

  /** @returns {Type} */
  function union() {
    skip("|");
    const of = [intersection()];
    while (skip("|")) of.push(intersection());
    return of.length === 1 ? /** @type {Type} */ (of[0]) : { kind: "union", of };
  }

  /** @returns {Type} */
  function intersection() {
    const of = [postfix()];
    while (skip("&")) of.push(postfix());
    return of.length === 1 ? /** @type {Type} */ (of[0]) : { kind: "intersection", of };
  }

  /** @returns {Type} */
  function postfix() {
    let type = primary();
    while (peek() === "[") {
      expect("[");
      expect("]");
      type = { kind: "array", of: type };
    }
    return type;
  }

  /** @returns {Type} */
  function primary() {
    const part = next();
    if (part === "(") {
      const type = union();
      expect(")");
      return type;
    }
    if (part === "{") return object();
    if (part === "[") {
      /** @type {Type[]} */
      const of = [];
      while (!skip("]")) {
        of.push(union());
        skip(",");
      }
      return { kind: "array", of: { kind: "union", of } };
    }
    if (part.startsWith('"')) return { kind: "literal", value: JSON.parse(part) };
    if (/^\d/.test(part)) return { kind: "literal", value: part };
    if (!/^[A-Za-z_$]/.test(part)) {
      throw new Error(`unexpected ${part} in type: ${source.slice(0, 200)}`);
    }
    if (skip("<")) {
      /** @type {Type[]} */
      const of = [];
      do of.push(union());
      while (skip(","));
      expect(">");
      return { kind: "generic", name: part, of };
    }
    return { kind: "name", name: qualify(part) };
  }

  /** @returns {Type} */
  function object() {
    /** @type {Map<string, Property>} */
    const properties = new Map();
    /** @type {Type[]} */
    const values = [];
    while (!skip("}")) {
      if (skip("[")) {
        // `[key in string]?: T`, a dictionary: it has no property that a message could be routed by.
        while (!skip("]")) at += 1;
        skip("?");
        expect(":");
        values.push(union());
      } else {
        const key = next();
        const optional = skip("?");
        expect(":");
        const name = key.startsWith('"') ? JSON.parse(key) : key;
        properties.set(name, { type: union(), optional });
      }
      if (!skip(",")) skip(";");
    }
    return { kind: "object", properties, values };
  }

  const type = union();
  if (at !== tokens.length) {
    throw new Error(
      `trailing ${tokens.slice(at, at + 5).join(" ")} in type: ${source.slice(0, 200)}`,
    );
  }
  return type;
}

/**
 * What a property is in every value of a type.
 * @typedef {{type: Type, required: boolean, nullable: boolean}} Fact
 */

/**
 * The properties that values of a type can have.
 * @param {Type} type
 * @param {(name: string) => Type | undefined} resolve
 * @returns {Map<string, Fact>}
 */
export function propertiesOf(type, resolve) {
  switch (type.kind) {
    case "object":
      return new Map(
        [...type.properties].map(([name, property]) => [
          name,
          {
            type: property.type,
            required: !property.optional && !isNullable(property.type, resolve),
            nullable: property.optional || isNullable(property.type, resolve),
          },
        ]),
      );
    case "name": {
      const target = resolve(type.name);
      return target === undefined ? new Map() : propertiesOf(target, resolve);
    }
    case "intersection":
      return new Map(type.of.flatMap((part) => [...propertiesOf(part, resolve)]));
    case "union": {
      const parts = type.of.map((part) => propertiesOf(part, resolve));
      /** @type {Map<string, Fact>} */
      const all = new Map();
      for (const part of parts) {
        for (const [name, fact] of part) {
          const everywhere = parts.every((other) => other.get(name)?.required === true);
          all.set(name, { ...fact, required: everywhere, nullable: !everywhere });
        }
      }
      return all;
    }
    default:
      return new Map();
  }
}

/**
 * @param {Type} type
 * @param {(name: string) => Type | undefined} resolve
 * @returns {boolean}
 */
function isNullable(type, resolve) {
  if (type.kind === "union") return type.of.some((part) => isNullable(part, resolve));
  if (type.kind !== "name") return false;
  if (type.name === "null" || type.name === "undefined") return true;
  const target = resolve(type.name);
  return target !== undefined && isNullable(target, resolve);
}
