"""The table: what each fault did to each peer."""

COLUMNS = ["fault", "peer", "trials", "acknowledged", "lost bytes", "hangs", "wrong", "errors seen", "longest call",
           "of use again", "result"]


def add_up(outcomes):
    """One row, of all trials of a fault and a peer."""
    errors = sum((outcome.verdict.errors for outcome in outcomes), type(outcomes[0].verdict.errors)())
    back = [outcome.recovered_s for outcome in outcomes]
    result = "survived" if all(outcome.survived() for outcome in outcomes) else \
        "safe" if all(outcome.safe() for outcome in outcomes) else "FAILED"
    return [
        outcomes[0].fault.title,
        outcomes[0].peer.name,
        len(outcomes),
        sum(outcome.verdict.acked for outcome in outcomes),
        sum(outcome.verdict.lost_bytes for outcome in outcomes),
        sum(len(outcome.verdict.hangs) for outcome in outcomes),
        sum(len(outcome.verdict.wrong) for outcome in outcomes),
        ", ".join(f"{count} {name}" for name, count in errors.most_common()) or "none",
        f"{max(outcome.verdict.longest_s for outcome in outcomes):.0f} s",
        "no" if None in back else f"after {max(back):.1f} s",
        result,
    ]


def table(outcomes):
    groups = {}
    for outcome in outcomes:
        groups.setdefault((outcome.fault.name, outcome.peer.name), []).append(outcome)
    rows = [COLUMNS, ["---"] * len(COLUMNS)] + [add_up(group) for group in groups.values()]
    return "\n".join("| " + " | ".join(str(cell) for cell in row) + " |" for row in rows)


def tell(outcome):
    """One trial, for the terminal."""
    row = add_up([outcome])
    lines = [f"{outcome.fault.name} {outcome.peer.name} seed {outcome.seed}: {row[-1]}; acknowledged {row[3]}, "
             f"lost {row[4]}, hangs {row[5]}, wrong {row[6]}, errors {row[7]}, longest call {row[8]}, "
             f"of use again {row[9]}"]
    return "\n".join(lines + [f"    {sentence}" for sentence in list(outcome.verdict.sentences()) + outcome.notes])
