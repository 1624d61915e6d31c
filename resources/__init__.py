"""Data only: facts about platforms, boards and versions, scripts for boards, the demo model."""
