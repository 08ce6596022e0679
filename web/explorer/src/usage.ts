import type { CopilotUsageRow, ListCopilotUsageResponse } from "../../../clients/typescript/src/index.js";
import { get, problem } from "./api.js";
import { bars } from "./charts.js";
import { h } from "./dom.js";
import { count, shortDayOf } from "./format.js";

const apps: [keyof CopilotUsageRow, string][] = [
  ["copilotChatLastActivityDate", "Copilot Chat"], ["microsoftTeamsCopilotLastActivityDate", "Teams"], ["outlookCopilotLastActivityDate", "Outlook"],
  ["wordCopilotLastActivityDate", "Word"], ["excelCopilotLastActivityDate", "Excel"], ["powerPointCopilotLastActivityDate", "PowerPoint"],
  ["oneNoteCopilotLastActivityDate", "OneNote"], ["loopCopilotLastActivityDate", "Loop"],
];

const dayMs = 86_400_000;

/** Shows who uses Copilot, and where. */
export function showUsage(root: HTMLElement, leave: AbortSignal): void {
  const period = h("select", { id: "period" }, ...["D7", "D30", "D90", "D180"].map((value) => h("option", { value, selected: value === "D30" }, `${value.slice(1)} days`)));
  const said = h("div", { role: "status", class: "banner" });
  const figures = h("div", { class: "figures" });
  const people = h("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "People" });
  const read = async (): Promise<void> => {
    const asked = period.value;
    said.textContent = "Reading the report …";
    try {
      const rows: CopilotUsageRow[] = [];
      let token: string | undefined;
      let last: ListCopilotUsageResponse;
      do {
        last = await get<ListCopilotUsageResponse>("/v1/copilotUsage", { period: asked, pageSize: 1000, pageToken: token }, leave);
        rows.push(...(last.rows ?? []));
        token = last.nextPageToken;
      } while (token);
      if (asked === period.value) draw(rows, last);
    } catch (error) {
      if (leave.aborted) return;
      const { reason, message, signIn } = problem(error);
      said.className = "banner failed";
      said.textContent = `${reason}: ${message}${signIn ? " Sign in with an access token." : ""}`;
    }
  };
  const draw = (rows: CopilotUsageRow[], last: ListCopilotUsageResponse): void => {
    said.className = `banner ${last.complete ? "complete" : "incomplete"}`;
    said.textContent = `${last.complete ? "Complete" : "Not complete"}. ${count(rows.length, "user")}, as of ${shortDayOf(last.reportRefreshDate)}.${last.identitiesConcealed ? " The tenant conceals names." : ""}`;
    const refreshed = Date.parse(last.reportRefreshDate ?? "");
    const length = Number(period.value.slice(1));
    const active = (date: string | undefined): boolean => !!date && Date.parse(date) > refreshed - length * dayMs;
    figures.replaceChildren(
      bars(`Users active in ${length} days, by application`, apps.map(([field, name]) => {
        const value = rows.filter((row) => active(row[field] as string | undefined)).length;
        return { name, value, said: String(value) };
      }).sort((a, b) => b.value - a.value)),
      bars("When they last used it", [["today or yesterday", 2], ["this week", 7], ["this month", 30], ["earlier", Infinity]].map(([name, most], i, all) => {
        const least = i ? Number(all[i - 1]?.[1]) : 0;
        const value = rows.filter((row) => {
          const age = (refreshed - Date.parse(row.lastActivityDate ?? "")) / dayMs;
          return age >= least && age < Number(most);
        }).length;
        return { name: String(name), value, said: String(value) };
      }).concat({ name: "never", value: rows.filter((row) => !row.lastActivityDate).length, said: String(rows.filter((row) => !row.lastActivityDate).length) })),
    );
    people.replaceChildren(h("table", {},
      h("thead", {}, h("tr", {}, ...["User", "Last active", ...apps.map(([, name]) => name)].map((head) => h("th", { scope: "col" }, head)))),
      h("tbody", {}, ...rows.slice(0, 200).map((row) => h("tr", {}, h("th", { scope: "row" }, row.displayName || row.userPrincipalName || ""), h("td", {}, shortDayOf(row.lastActivityDate)),
        ...apps.map(([field]) => h("td", { class: active(row[field] as string | undefined) ? "on" : "muted" }, shortDayOf(row[field] as string | undefined))))))));
    if (rows.length > 200) people.append(h("p", { class: "hint" }, "The first 200 users are shown."));
  };
  period.addEventListener("change", () => void read());
  root.append(h("h1", {}, "Copilot usage"), h("p", { class: "lead" }, "The usage report of Microsoft 365, as the tenant's Graph gives it."),
    h("form", { class: "controls", onsubmit: (event: SubmitEvent) => event.preventDefault() }, h("div", {}, h("label", { for: "period" }, "Period"), period)), said, figures, people);
  void read();
}
