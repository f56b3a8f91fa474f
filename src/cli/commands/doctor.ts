import { EXIT, type ExitCode } from "../../base/errors.ts";
import { diagnose } from "../../doctor/diagnose.ts";
import { isWrong } from "../../doctor/finding.ts";
import { mendAll, type MendedFinding } from "../../doctor/mend.ts";
import { observe } from "../../doctor/observe.ts";
import { findingLines, healthLines, summaryLine } from "../doctor/report.ts";
import { wantedScope } from "../workspace/wanted.ts";
import type { doctorOptions } from "../commands.ts";
import type { Given } from "../line/given.ts";
import { err, out } from "../output/output.ts";

export async function execute(given: Given<typeof doctorOptions>): Promise<ExitCode> {
  const seen = await observe(wantedScope(given), process.env);
  const findings = diagnose(seen);
  const report = given.has("fix")
    ? await mendAll(findings, (what) => err.line(err.paint("dim", what)))
    : findings.map((finding) => ({ finding, mended: undefined }));
  const isLeft = ({ finding, mended }: MendedFinding): boolean =>
    isWrong(finding) && mended?.done !== true;
  const well = !report.some(isLeft);
  if (given.has("json")) {
    out.json({ well, findings: report.map(findingJson) });
  } else {
    for (const each of report) for (const line of findingLines(each, out)) out.line(line);
    out.line(summaryLine(report, out));
    if (!report.some(({ finding }) => isWrong(finding))) {
      for (const line of healthLines(seen, out)) out.line(line);
    }
  }
  return well ? EXIT.ok : EXIT.foundWrong;
}

function findingJson({ finding, mended }: MendedFinding): object {
  const { code, severity, message, next, details, remedy } = finding;
  return {
    code,
    severity,
    message,
    next,
    details,
    fixable: remedy !== undefined,
    fix: mended ?? null,
  };
}
