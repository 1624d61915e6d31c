"""One board's card: live figures, what it serves, what can be done; a model is dropped onto it."""

from PySide6.QtCore import QEvent, QSize, Qt, Signal, Slot
from PySide6.QtGui import (
    QAction,
    QContextMenuEvent,
    QDragEnterEvent,
    QDragLeaveEvent,
    QDragMoveEvent,
    QDropEvent,
    QKeyEvent,
    QMouseEvent,
)
from PySide6.QtWidgets import (
    QFrame,
    QMenu,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from core.base.errors import error_from_json
from core.base.names import printable
from core.fitness.judge import Judgement
from core.jobs.model import JobState
from gui.dialogs.remedy_offer import button_words
from gui.feeds.boards import BoardView
from gui.icons import icon
from gui.pages.boards.doctor import summary
from gui.pages.boards.figures import Figures
from gui.pages.boards.finding_row import finding_words
from gui.pages.boards.reach_remedies import remedy_for
from gui.phrases import VERDICT_ROLES, job_line, job_title
from gui.shell.status import show_progress
from gui.text import tr, trn, word_error
from gui.widgets.basic import StateLabel, button, label, row, set_role
from gui.widgets.elided import breakable
from gui.widgets.plain import menu_entry, set_tip


class BoardCard(QFrame):
    """Shows a BoardView and asks the page for everything that is done.

    Signals (each with this card):
        hovered: a drag came over it (card, QMimeData). left: it went away. dropped: (card, overriding).
        asked: (card, what): "new_key", "doctor", "chat", "serve", "stop", "refresh", "panel", "deploy", "remove",
            "password", "renew", "move", "cancel_job", "retry_job", "force", "remedy", "forget_offer", "cancel_start".
        serve_wanted: (card, name of the deployment).
    """

    hovered = Signal(object, object)
    left = Signal(object)
    dropped = Signal(object)
    asked = Signal(object, object)
    serve_wanted = Signal(object, object)

    def __init__(self, view: BoardView, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName(f"boardCard:{view.name}")
        self.setProperty("role", "card")
        self.setAcceptDrops(True)
        self.setFocusPolicy(Qt.FocusPolicy.StrongFocus)
        self.view = view
        self.judgement: Judgement | None = None
        self._starting = ""
        self._make_parts()
        self._lay_out()
        self.show_view(view)

    def _make_parts(self) -> None:
        self.name = label(role="heading")
        self.state = StateLabel()
        self.model = label(role="muted", wrap=True)
        self.simulated = label(tr("SIMULATED"), "simulated")
        self.simulated.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.reach_remedy = button("")
        self.reach_remedy.setObjectName("reachRemedyButton")
        self.reach_remedy.clicked.connect(self._on_reach_remedy)
        self.figures = Figures()
        self.serving = label(wrap=True)
        self.health = StateLabel()
        self.health.setObjectName("healthLabel")
        self.verdict_label = label(wrap=True)
        self.verdict_label.setObjectName("verdictLabel")
        self.verdict_state = StateLabel()
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setAccessibleName(tr("Progress of the deployment"))
        self.job = label(wrap=True, selectable=True)
        self.job_button = button("", "link")
        self.job_button.clicked.connect(self._on_job_button)
        self.force = button(tr("Deploy anyway"))
        self.force.setObjectName("forceButton")
        self.force.clicked.connect(self._on_force)
        self.remedy = button("")
        self.remedy.setObjectName("remedyButton")
        self.remedy.clicked.connect(self._on_remedy)
        self.leave = button(tr("Leave it"))
        self.leave.clicked.connect(self._on_leave)
        self.chat = _action(tr("Chat"), "chat", "chatButton")
        self.chat.clicked.connect(self._on_chat)
        self.serve = _action(tr("Serve"), "play", "serveButton")
        self._serve_menu = QMenu(self)
        self._serve_menu.aboutToShow.connect(self._fill_serve_menu)
        self._serve_menu.triggered.connect(self._on_serve)
        self.serve.setMenu(self._serve_menu)
        self.stop = _action(tr("Stop"), "stop", "stopButton")
        self.stop.clicked.connect(self._on_stop)
        self.doctor = button(
            tr("Doctor"), "link", tip=tr("What this board can run, and what to do about the rest")
        )
        self.doctor.setObjectName("doctorButton")
        self.doctor.clicked.connect(self._on_doctor)
        self.refresh = QToolButton()
        self.refresh.setObjectName("refreshButton")
        set_tip(self.refresh, tr("Look at the board again"))
        self.refresh.setAccessibleName(tr("Refresh"))
        self.refresh.clicked.connect(self._on_refresh)
        self.panel = button("", "link")
        self.panel.setObjectName("deploymentsButton")
        self.panel.clicked.connect(self._on_panel)
        self._menu = QMenu(self)
        self._menu.triggered.connect(self._on_menu)
        for what, text in (
            ("deploy", tr("Deploy a model")), ("panel", tr("Deployments")), ("doctor", tr("Doctor")),
            ("refresh", tr("Look at the board again")),
            ("password", tr("Set the password")), ("move", tr("Change the address")),
            ("remove", tr("Remove the board")),
        ):  # fmt: skip
            menu_entry(self._menu, text, what)
        self.more = QToolButton()
        self.more.setObjectName("moreButton")
        self.more.setText("⋯")
        set_tip(self.more, tr("More"))
        self.more.setAccessibleName(tr("More"))
        self.more.setMenu(self._menu)
        self.more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)

    def _lay_out(self) -> None:
        layout = QVBoxLayout(self)
        layout.setContentsMargins(14, 10, 12, 12)
        layout.setSpacing(6)
        layout.addLayout(row(self.name, None, self.state, self.refresh, self.more, spacing=6))
        about = row(self.simulated, self.model, spacing=8)
        about.setStretch(1, 1)
        about.setAlignment(self.simulated, Qt.AlignmentFlag.AlignTop)
        layout.addLayout(about)
        layout.addLayout(row(self.reach_remedy, None))
        layout.addWidget(self.figures)
        layout.addLayout(row(self.serving, None, self.panel))
        layout.addLayout(row(self.health, None, self.doctor))
        layout.addWidget(self.verdict_state)
        layout.addWidget(self.verdict_label)
        layout.addWidget(self.bar)
        layout.addWidget(self.job)
        layout.addLayout(row(self.job_button, self.remedy, self.force, self.leave, None))
        layout.addStretch(1)
        layout.addLayout(row(self.chat, self.serve, self.stop, None))
        for widget in (self.remedy, self.force, self.leave, self.verdict_label, self.verdict_state):
            widget.hide()

    def sizeHint(self) -> QSize:  # Qt's name
        """As its contents."""
        return QSize(330, super().sizeHint().height())

    def show_view(self, view: BoardView) -> None:
        """Show the board as it is known by now."""
        self.view = view
        facts = view.board.facts
        self.name.setText(printable(view.name, 40))
        self.simulated.setVisible(facts is not None and facts.simulated)
        online = view.is_online
        if view.visiting and online is None:
            self.state.show_state("muted", tr("connecting"))
        else:
            states = {
                True: ("ok", tr("online")),
                False: ("bad", tr("offline")),
                None: ("muted", tr("unknown")),
            }
            self.state.show_state(*states[online])
        self.refresh.setEnabled(not view.visiting)
        self.refresh.setIcon(icon("refresh", "muted"))
        soc = facts.soc.upper() if facts is not None and facts.soc else tr("unknown SoC")
        title = tr("not visited yet")
        if facts is not None:
            title = f"{printable(facts.title or tr('unknown board'), 80)} · {soc}"
        error = view.error
        self.model.setText(f"{title}\n{word_error(error)[0]}" if error is not None else title)
        reach_remedy = remedy_for(error)
        self.reach_remedy.setVisible(reach_remedy is not None)
        if reach_remedy is not None:
            self.reach_remedy.setText(reach_remedy[1])
        self.figures.show_view(view)
        self._show_serving(view)
        self._show_health(view)
        self._show_job(view)

    def show_starting(self, text: str) -> None:
        """Say that something is being started or stopped; empty ends that."""
        self._starting = text
        self._show_serving(self.view)

    def show_judgement(self, judgement: Judgement | None, line: str = "", *, offer: bool = False) -> None:
        """Show what a file would do here; `offer` asks whether it is to be sent (although something says no)."""
        self.judgement = judgement
        set_role(self, judgement.verdict if judgement is not None else "", "drop")
        self.verdict_label.setVisible(judgement is not None)
        self.verdict_state.setVisible(judgement is not None)
        self.force.setVisible(offer)
        self.leave.setVisible(offer)
        remedy = judgement.remedy if judgement is not None else None
        self.remedy.setVisible(remedy is not None)
        if remedy is not None:
            self.remedy.setText(button_words(remedy))
        if judgement is not None:
            self.force.setText(tr("Deploy anyway") if judgement.refusals else tr("Deploy"))
            self.verdict_state.show_state(VERDICT_ROLES[judgement.verdict], finding_words(judgement.verdict))
            self.verdict_label.setText(line)
        self.updateGeometry()

    @property
    def is_offering(self) -> bool:
        """Whether a file waits here for somebody to say whether it is to be sent."""
        return not self.leave.isHidden()

    def show_reading(self) -> None:
        """The file is being looked at."""
        self.judgement = None
        set_role(self, "reading", "drop")
        self.verdict_label.setText(tr("Reading the file ..."))
        self.verdict_label.show()

    def _show_serving(self, view: BoardView) -> None:
        status = view.status
        serving = status.serving if status is not None else None
        if self._starting:
            self.serving.setText(self._starting)
        elif serving is not None:
            speed = (
                view.sample.serving.tokens_per_s if view.sample is not None and view.sample.serving else None
            )
            rate = f" · {speed:.1f} tokens/s" if speed is not None else ""
            self.serving.setText(
                tr("serves {name}", name=breakable(printable(serving.name or serving.model, 60))) + rate
            )
        elif status is not None and status.tenants:
            self.serving.setText(tr("the NPU is used by {name}", name=printable(status.tenants[0][1], 40)))
        else:
            self.serving.setText(tr("serves nothing") if status is not None else "")
        count = len(status.deployments) if status is not None else 0
        self.panel.setText(trn("{n} deployment", "{n} deployments", count))
        self.panel.setVisible(status is not None)
        self.chat.setVisible(serving is not None and not self._starting)
        self.stop.setVisible(serving is not None or bool(self._starting))
        self.serve.setVisible(serving is None and not self._starting)
        self.serve.setEnabled(count > 0)
        set_tip(self.serve, "" if count else tr("Deploy a model first: drop a .rkllm file here"))

    def _show_health(self, view: BoardView) -> None:
        status = view.status
        for widget in (self.health, self.doctor):
            widget.setVisible(status is not None)
        if status is not None:
            self.health.show_state(*summary(status))

    def _show_job(self, view: BoardView) -> None:
        record = view.job
        shown = record is not None and record.state is not JobState.SUCCEEDED
        for widget in (self.bar, self.job, self.job_button):
            widget.setVisible(shown)
        if record is None or not shown:
            return
        show_progress(self.bar, record)
        if record.state is JobState.FAILED:
            text = " ".join(word_error(error_from_json(record.error or {})))
        else:
            text = f"{job_title(record)}\n{job_line(record)}"
        self.job.setText(text)
        self.job_button.setText(tr("Try again") if record.state.is_terminal else tr("Stop"))
        self.job_button.setEnabled(record.state is not JobState.CANCELLING)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # Qt's name
        """Ask the page what this file would do here."""
        self.hovered.emit(self, event.mimeData())
        self._answer(event)

    def dragMoveEvent(self, event: QDragMoveEvent) -> None:  # Qt's name
        """The verdict may have come in the meantime."""
        self._answer(event)

    def dragLeaveEvent(self, event: QDragLeaveEvent) -> None:  # Qt's name
        """The drag went away."""
        self.left.emit(self)
        super().dragLeaveEvent(event)

    def dropEvent(self, event: QDropEvent) -> None:  # Qt's name
        """Send it, unless a check that cannot be overridden says no."""
        if self._refuses():
            event.ignore()
            return
        event.setDropAction(Qt.DropAction.CopyAction)
        event.accept()
        self.dropped.emit(self)

    def _answer(self, event: QDragMoveEvent) -> None:
        if self.property("drop") and not self._refuses():
            event.setDropAction(Qt.DropAction.CopyAction)
            event.accept()
        else:
            event.ignore()

    def _refuses(self) -> bool:
        return self.judgement is not None and bool(self.judgement.refusals) and not self.judgement.overridable

    def keyPressEvent(self, event: QKeyEvent) -> None:  # Qt's name
        """Enter opens the deployments, or sends the file that waits for a board."""
        if event.key() in {Qt.Key.Key_Return, Qt.Key.Key_Enter}:
            self.asked.emit(self, "enter")
        elif event.key() == Qt.Key.Key_Delete:
            self.asked.emit(self, "remove")
        else:
            super().keyPressEvent(event)

    def mouseDoubleClickEvent(self, event: QMouseEvent) -> None:  # Qt's name
        """As Enter."""
        self.asked.emit(self, "enter")
        super().mouseDoubleClickEvent(event)

    def contextMenuEvent(self, event: QContextMenuEvent) -> None:  # Qt's name
        """The menu of the ⋯ button."""
        self._menu.popup(event.globalPos())

    def focusInEvent(self, event: QEvent) -> None:  # Qt's name
        """Show that the keyboard is here."""
        set_role(self, "true", "selected")
        super().focusInEvent(event)  # type: ignore[arg-type]  # a QFocusEvent

    def focusOutEvent(self, event: QEvent) -> None:  # Qt's name
        """And that it left."""
        set_role(self, "false", "selected")
        super().focusOutEvent(event)  # type: ignore[arg-type]  # a QFocusEvent

    @Slot()
    def _fill_serve_menu(self) -> None:
        self._serve_menu.clear()
        for deployment in self.view.status.deployments if self.view.status is not None else ():
            text = f"{deployment.name}  ({deployment.dtype})" if deployment.dtype else deployment.name
            menu_entry(self._serve_menu, text, deployment.name)

    @Slot(QAction)
    def _on_serve(self, action: QAction) -> None:
        self.serve_wanted.emit(self, str(action.data()))

    @Slot(QAction)
    def _on_menu(self, action: QAction) -> None:
        self.asked.emit(self, str(action.data()))

    @Slot()
    def _on_chat(self) -> None:
        self.asked.emit(self, "chat")

    @Slot()
    def _on_stop(self) -> None:
        self.asked.emit(self, "cancel_start" if self._starting else "stop")

    @Slot()
    def _on_doctor(self) -> None:
        self.asked.emit(self, "doctor")

    @Slot()
    def _on_reach_remedy(self) -> None:
        reach_remedy = remedy_for(self.view.error)
        if reach_remedy is not None:
            self.asked.emit(self, reach_remedy[0])

    @Slot()
    def _on_refresh(self) -> None:
        self.asked.emit(self, "refresh")

    @Slot()
    def _on_panel(self) -> None:
        self.asked.emit(self, "panel")

    @Slot()
    def _on_job_button(self) -> None:
        ended = self.view.job is not None and self.view.job.state.is_terminal
        self.asked.emit(self, "retry_job" if ended else "cancel_job")

    @Slot()
    def _on_force(self) -> None:
        self.asked.emit(self, "force")

    @Slot()
    def _on_remedy(self) -> None:
        self.asked.emit(self, "remedy")

    @Slot()
    def _on_leave(self) -> None:
        self.asked.emit(self, "forget_offer")


def _action(text: str, icon_name: str, name: str) -> QPushButton:
    made = button(text, icon_name=icon_name)
    made.setObjectName(name)
    return made
